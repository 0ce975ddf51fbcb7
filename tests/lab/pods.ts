/** Pods of the lab: what the API server and kubelet would do with one, done by hand. */
import type { Address } from "../../src/ip/address.ts";
import { type Family, parseAddress } from "../../src/ip/address.ts";
import type { CommandResult } from "../../src/exec/command_runner.ts";
import { cgroupOf } from "./census.ts";
import type { CriClient, SandboxStatus } from "./cri.ts";
import { record } from "./json.ts";
import type { LabApi } from "./lab_api.ts";
import { PAUSE_IMAGE } from "./pause_image.ts";
import type { ExecOptions, Place } from "./place.ts";

export interface PodSpec {
  readonly name: string;
  /** Default `default`. */
  readonly namespace?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A pod with a running sandbox. */
export interface LabPod {
  readonly name: string;
  readonly sandbox: SandboxStatus;
  /** @throws when it has none of that family */
  address(family: Family): string;
  /** Runs a tool of the node in the pod's network. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<CommandResult>;
  /** Like exec, but @throws CommandFailed unless the exit code is 0. @returns standard output */
  output(argv: readonly string[], options?: ExecOptions): Promise<string>;
  /** Starts a long-running tool of the node in the pod's network. */
  spawn: Place["spawn"];
  /** Sets its `deletionTimestamp`; the sandbox stays until `remove`. */
  terminate(graceSeconds: number): Promise<void>;
  /** Stops and removes the sandbox, then deletes the Pod. Idempotent. */
  remove(): Promise<void>;
}

/**
 * Creates the Pod, bound to the node, runs its sandbox and reports it Ready, as kubelet would.
 *
 * @throws what the runtime says, which quotes the CNI plugin; the Pod is deleted then
 */
export async function runPod(
  pod: PodSpec,
  on: { readonly node: Place; readonly cri: CriClient; readonly api: LabApi; readonly labId: string },
): Promise<LabPod> {
  const { name, namespace = "default", annotations = {} } = pod;
  const { node, cri, api, labId } = on;
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  const created = await api.apply(podObject({ name, namespace, annotations, nodeName: node.name }));
  const uid = String(record(created["metadata"])["uid"]);
  try {
    const id = await cri.runSandbox({ name, namespace, uid, cgroupParent: `${cgroupOf(labId)}/${node.name}` });
    const sandbox = await cri.sandboxStatus(id);
    await api.patch(`${path}/status`, { status: runningStatus(sandbox.addresses) });
    return podOf(node, {
      sandbox,
      cri,
      terminate: (seconds) => api.terminate(path, seconds),
      removeObject: () => api.delete(path),
    });
  } catch (error) {
    await api.delete(path);
    throw error;
  }
}

function podOf(
  node: Place,
  { sandbox, cri, terminate, removeObject }: Pick<LabPod, "sandbox" | "terminate"> & {
    cri: CriClient;
    removeObject: () => Promise<void>;
  },
): LabPod {
  const enter = ["nsenter", `--net=${sandbox.netns}`, "--"];
  const addresses = sandbox.addresses.map(parseAddress).filter((address): address is Address => address !== undefined);
  return {
    name: sandbox.name,
    sandbox,
    address: (family) => {
      const found = addresses.find((address) => address.family === family);
      if (found === undefined) throw new Error(`Cannot name the IPv${family} address of ${sandbox.name}: it has none`);
      return found.text;
    },
    exec: (argv, options) => node.exec([...enter, ...argv], options),
    output: (argv, options) => node.output([...enter, ...argv], options),
    spawn: (name, argv, options) => node.spawn(`${sandbox.name}-${name}`, [...enter, ...argv], options),
    terminate,
    remove: async () => {
      await cri.stopSandbox(sandbox.id);
      await cri.removeSandbox(sandbox.id);
      await removeObject();
    },
  };
}

/** The smallest Pod that an API server takes. */
export function podObject(pod: Required<PodSpec> & { nodeName: string }): Record<string, unknown> {
  const { name, namespace, annotations, nodeName } = pod;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, annotations },
    spec: {
      nodeName,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "main", image: PAUSE_IMAGE }],
    },
  };
}

/** What kubelet reports of a pod whose containers run. */
function runningStatus(addresses: readonly string[]): Record<string, unknown> {
  return {
    phase: "Running",
    podIP: addresses[0],
    podIPs: addresses.map((ip) => ({ ip })),
    conditions: [{ type: "Ready", status: "True", lastTransitionTime: new Date().toISOString() }],
  };
}
