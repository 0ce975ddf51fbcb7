/** A pod behind addresses that its annotations name: a Pod of the API server, a sandbox without a runtime, and what kubelet says of it. */
import { assert } from "@std/assert";
import { hostPrefix } from "../../src/ip/address.ts";
import { record, records } from "../lab/json.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import type { Daemon } from "../lab/process.ts";
import { startResponder } from "../lab/traffic.ts";
import { configPath, createPod } from "./_cluster.ts";
import { addSandbox, type Sandbox } from "./_sandbox.ts";
import { ip } from "./_raw_pod.ts";

const PREFIX = "flock.fritzlab.net/";
const GRACE_S = 30;

export interface ServicePodSpec {
  readonly name: string;
  /** The annotation `anycast`. */
  readonly anycast?: readonly string[];
  /** The annotation `addresses`. */
  readonly addresses?: readonly string[];
  /** Other annotations of flock's, without the prefix. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Default false. */
  readonly ready?: boolean;
}

export interface ServicePod {
  readonly name: string;
  readonly uid: string;
  readonly sandbox: Sandbox;
  /** Sets the condition `Ready`, as kubelet does. @returns the moment before, in milliseconds since the epoch */
  setReady(ready: boolean): Promise<number>;
  /** Changes flock's annotations, named without the prefix; null removes one. */
  annotate(annotations: Readonly<Record<string, string | null>>): Promise<void>;
  /** Starts a responder named like the pod, on addresses that it has. */
  respond(addresses: readonly string[]): Promise<Daemon>;
  /** Sets its `deletionTimestamp`; it has half a minute. @returns the moment before, in milliseconds since the epoch */
  terminate(): Promise<number>;
  /** DEL, and then the Pod goes. */
  remove(): Promise<void>;
}

/** Creates the Pod, and then its sandbox, whose ADD must succeed. */
export async function runServicePod(lab: Lab, node: LabNode, spec: ServicePodSpec): Promise<ServicePod> {
  const { name, ready = false } = spec;
  const uid = await createPod(lab, { name, annotations: annotationsOf(spec), nodeName: node.name });
  const sandbox = await addSandbox(node, { pod: { name, uid } });
  const pod = servicePodOf(lab, { name, uid, sandbox });
  if (ready) await pod.setReady(true);
  return pod;
}

/** @returns flock's annotations of such a pod, as they stand in its object */
export function annotationsOf({ anycast, addresses, annotations = {} }: ServicePodSpec): Record<string, string> {
  const lists = { anycast: anycast?.join(), addresses: addresses?.join() };
  const all = Object.entries({ ...annotations, ...lists });
  return Object.fromEntries(all.flatMap(([key, value]) => value === undefined ? [] : [[PREFIX + key, value]]));
}

function servicePodOf(
  { api }: Lab,
  { name, uid, sandbox }: { readonly name: string; readonly uid: string; readonly sandbox: Sandbox },
): ServicePod {
  const path = `/api/v1/namespaces/default/pods/${name}`;
  return {
    name,
    uid,
    sandbox,
    setReady: async (ready) => {
      const at = now();
      const condition = {
        type: "Ready",
        status: ready ? "True" : "False",
        lastTransitionTime: new Date().toISOString(),
      };
      await api.patch(`${path}/status`, { status: { phase: "Running", conditions: [condition] } });
      return at;
    },
    annotate: async (annotations) => {
      const entries = Object.entries(annotations).map(([key, value]) => [PREFIX + key, value]);
      await api.patch(path, { metadata: { annotations: Object.fromEntries(entries) } });
    },
    respond: (addresses) => startResponder(sandbox, { name, addresses }),
    terminate: async () => {
      const at = now();
      await api.terminate(path, GRACE_S);
      return at;
    },
    remove: async () => {
      await sandbox.remove();
      await api.delete(path);
    },
  };
}

/** In milliseconds since the epoch, finer than `Date.now()`: the clock of captures and route watches. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** @returns the prefix of the address alone */
export function alone(address: string): string {
  return hostPrefix(ip(address)).text;
}

/** @returns the addresses of global scope on a link of the pod, in order */
export async function boundOn(link: "lo" | "eth0", { output }: Pick<Sandbox, "output">): Promise<string[]> {
  const [entry] = records(JSON.parse(await output(["ip", "-j", "address", "show", "dev", link])));
  const texts = records(entry?.["addr_info"]).map(({ local }) => String(local));
  return texts.filter((text) => text !== "127.0.0.1" && text !== "::1" && !text.startsWith("fe80:")).sort();
}

/** What the NodeConfig's status says of an anycast address. */
export interface AnycastStatus {
  readonly advertised: boolean;
  readonly pods: readonly string[];
  /** `namespace/name reason` */
  readonly waiting: readonly string[];
}

/** @returns what the status says of the address; undefined: nothing */
export async function anycastStatus(
  lab: Lab,
  node: LabNode,
  address: string,
): Promise<AnycastStatus | undefined> {
  const { anycast } = record((await lab.api.get(configPath(node)))?.["status"]);
  const entry = records(anycast).find((entry) => entry["address"] === address);
  if (entry === undefined) return undefined;
  const { advertised, pods, waiting } = entry;
  assert(Array.isArray(pods), `status.anycast of ${address} lists no pods`);
  return {
    advertised: advertised === true,
    pods: pods.map(String),
    waiting: records(waiting).map(({ pod, reason }) => `${pod} ${reason}`),
  };
}

/** @returns how often BIRD was given another configuration since this agent's log began */
export async function countReloads(node: LabNode): Promise<number> {
  return (await node.readLog("agent")).split("BIRD reconfigured").length - 1;
}
