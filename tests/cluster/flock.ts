/** flock on the cluster, by the same steps as in the README. */
import { BUNDLE } from "../../deploy/manifest.ts";
import { assertEquals } from "@std/assert";
import { makeFlockImage } from "../image/flock_image.ts";
import { record, records } from "../lab/json.ts";
import { nodeConfigOf } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import { podContainer } from "../manifest/objects.ts";
import type { Cluster, Image } from "./cluster.ts";

export const NAMESPACE = "flock-system";
/** The label that lets flock's DaemonSet in. */
export const GATE = "flock.fritzlab.net/agent";

const MINUTE_MS = 60_000;

/** Makes flock's image, under the name that the manifest has for it. */
export async function flockImage(into: string): Promise<Image> {
  const { image } = await podContainer("agent");
  return { ...await makeFlockImage({ into }), as: String(image) };
}

/** Steps 1 and 2: what is there once for the cluster, and a NodeConfig for each node. No node is touched yet. */
export async function installFlock({ kubectl, lab }: Cluster): Promise<void> {
  await kubectl.run("apply", "-f", BUNDLE.pathname);
  await kubectl.run("wait", "--for=condition=Established", "crd/nodeconfigs.flock.fritzlab.net", "--timeout=30s");
  await until("NodeConfigs are served", () => kubectl.run("get", "nodeconfigs"), { timeoutMs: MINUTE_MS });
  await kubectl.apply(lab.nodes.map(({ spec }) => nodeConfigOf(spec)));
}

/** Step 3: lets flock onto the nodes. Resolves when they are Ready. */
export async function admitNodes({ kubectl }: Cluster, ...nodes: readonly string[]): Promise<void> {
  await kubectl.run("label", "node", ...nodes, `${GATE}=`);
  await kubectl.run("wait", "--for=condition=Ready", "node", ...nodes, "--timeout=60s");
}

/** Says what went wrong, for whoever reads a failed test: pods, the events that warn, the agents' last words. */
export async function describeFlock({ kubectl, lab }: Cluster): Promise<string> {
  const ask = (...args: string[]): Promise<string> => kubectl.run(...args).catch(String);
  const parts = await Promise.all([
    ask("get", "nodes,nodeconfigs,pods", "-A", "-o", "wide"),
    ask("get", "events", "-A", "--field-selector", "type=Warning"),
    ask("logs", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=flock", "--all-containers", "--prefix", "--tail", "30"),
    ...lab.nodes.map(async (node) => (await node.readLog("kubelet")).slice(-2000)),
  ]);
  return parts.join("\n");
}

/** Waits until the DaemonSet has nothing left to replace, and each node's agent is ready. */
export async function untilRolledOut({ kubectl }: Cluster): Promise<void> {
  await kubectl.run("rollout", "status", "daemonset/flock", "-n", NAMESPACE, "--timeout=55s");
}

/** @returns how many nodes the DaemonSet wants to be on */
export async function desiredNodes({ kubectl }: Cluster): Promise<number> {
  const { status } = await kubectl.get("daemonset", "flock", "-n", NAMESPACE);
  return Number(record(status)["desiredNumberScheduled"]);
}

/** Checks that no node is Ready: there is no network. */
export async function expectNoNetwork({ kubectl }: Cluster): Promise<void> {
  const { items } = await kubectl.get("nodes");
  const ready = records(items).map(({ status }) =>
    records(record(status)["conditions"]).find(({ type }) => type === "Ready")?.["status"]
  );
  assertEquals(ready, ["False", "False"]);
}
