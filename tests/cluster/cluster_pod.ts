/** Pods that kubelet runs, as tests look at them. */
import { type Family, parseAddress } from "../../src/ip/address.ts";
import { record, records } from "../lab/json.ts";
import type { KubeObject } from "../lab/lab_api.ts";
import type { LabNode } from "../lab/node.ts";
import type { Ground } from "../lab/traffic.ts";
import type { Vantage } from "../lab/probes.ts";
import { until } from "../lab/until.ts";
import { BUSYBOX_IMAGE, type Cluster } from "./cluster.ts";

/** A pod that is Ready. */
export interface ClusterPod extends Vantage, Ground {
  readonly name: string;
  readonly node: LabNode;
  /** @throws when it has none of that family */
  address(family: Family): string;
}

/** How long a pod may take on a machine that is busy with other tests. */
const READY_MS = 60_000;

/** @returns the Ready pods that kubectl's arguments select (`-l app=web`), in order of their names; waits for as many. @throws when they do not come */
export async function readyPods(cluster: Cluster, count: number, ...args: readonly string[]): Promise<ClusterPod[]> {
  const objects = await until(`${count} pods of ${args.join(" ")} are ready`, async () => {
    const { items } = await cluster.kubectl.get("pod", ...args);
    const ready = records(items).filter(isReady);
    return ready.length === count && ready;
  }, { timeoutMs: READY_MS, everyMs: 100 });
  return await Promise.all(objects.map((object) => podOf(cluster, object)));
}

/** Says whether kubelet reports a pod Ready, and nobody has deleted it. */
export function isReady({ metadata, status }: KubeObject): boolean {
  const conditions = records(record(status)["conditions"]);
  return record(metadata)["deletionTimestamp"] === undefined &&
    conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

/** What runs in the pod runs with the node's tools, in the pod's network only. */
async function podOf({ lab, runtime }: Cluster, { metadata, spec, status }: KubeObject): Promise<ClusterPod> {
  const { name: text, uid: own, annotations } = record(metadata);
  const name = String(text);
  // A static pod's object is a mirror, with a UID of its own.
  const uid = String(record(annotations)["kubernetes.io/config.mirror"] ?? own);
  const node = lab.node(String(record(spec)["nodeName"]));
  const { cri } = runtime(node.name);
  const sandbox = (await cri.listSandboxes()).find((sandbox) => sandbox.uid === uid && sandbox.ready);
  if (sandbox === undefined) throw new Error(`Cannot find the sandbox of ${name}: ${node.name} has none`);
  const { netns } = await cri.sandboxStatus(sandbox.id);
  const enter = netns === "" ? [] : ["nsenter", `--net=${netns}`, "--"];
  const ips = records(record(status)["podIPs"]).map(({ ip }) => parseAddress(String(ip)));
  return {
    name,
    node,
    address: (family) => {
      const found = ips.find((ip) => ip?.family === family);
      if (found === undefined) throw new Error(`Cannot name the IPv${family} address of ${name}: it has none`);
      return found.text;
    },
    exec: (argv, options) => node.exec([...enter, ...argv], options),
    spawn: (daemon, argv, options) => node.spawn(`${name}-${daemon}`, [...enter, ...argv], options),
  };
}

/** A container that sleeps, or runs a command line of busybox's shell. */
export function busybox(script?: string, more: KubeObject = {}): KubeObject {
  const command = script === undefined ? {} : { command: ["/bin/sh", "-c", script] };
  return { name: "main", image: BUSYBOX_IMAGE, ...command, ...more };
}

/** @returns a Deployment, StatefulSet or DaemonSet whose pods carry its name as label `app` and have a second to go */
export function workload(kind: "Deployment" | "StatefulSet" | "DaemonSet", name: string, pod: WorkloadPod): KubeObject {
  const labels = { app: name };
  const { replicas, annotations = {}, spec = {}, containers = [busybox()] } = pod;
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name },
    spec: {
      selector: { matchLabels: labels },
      ...replicas === undefined ? {} : { replicas },
      ...kind === "StatefulSet" ? { serviceName: name } : {},
      template: {
        metadata: { labels, annotations },
        spec: { terminationGracePeriodSeconds: 1, containers, ...spec },
      },
    },
  };
}

export interface WorkloadPod {
  readonly replicas?: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly containers?: readonly KubeObject[];
  /** More fields of the pod's spec. */
  readonly spec?: KubeObject;
}
