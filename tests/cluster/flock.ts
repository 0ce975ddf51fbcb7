/** flock on the cluster, by the same steps as in the README. */
import { assertEquals } from "@std/assert";
import { load } from "js-yaml";
import { makeFlockImage } from "../image/flock_image.ts";
import { record, records } from "../lab/json.ts";
import { readmeBlock } from "../lab/readme.ts";
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
  return { ...await makeFlockImage({ into }), as: [String(image)] };
}

/** Where the README's steps are taken: a folder with `deploy/`, and the operator's own `nodeconfigs.yaml`. */
export interface Desk {
  readonly cwd: string;
}

/** @param into an existing directory. @returns the desk, with the README's NodeConfig for its node and the lab's for the others */
export async function layDesk({ lab }: Cluster, into: string): Promise<Desk> {
  await Deno.symlink(new URL("../../deploy", import.meta.url).pathname, `${into}/deploy`);
  const shown = await readmeBlock("yaml", "cluster-scoped, named like the node.");
  const { metadata, spec } = record(load(shown));
  const { name } = record(metadata);
  const others = lab.nodes.filter((node) => node.name !== name).map((node) => JSON.stringify(nodeConfigOf(node.spec)));
  const { cidr4, cidr6 } = lab.node(String(name)).spec;
  assertEquals([record(spec)["cidr4"], record(spec)["cidr6"]], [[cidr4], [cidr6]], "the README's node is the lab's");
  await Deno.writeTextFile(`${into}/nodeconfigs.yaml`, [shown, ...others].join("\n---\n"));
  return { cwd: into };
}

/** Steps 1 and 2 of the README: what is there once for the cluster, and a NodeConfig for each node. No node is touched yet. */
export async function installFlock({ kubectl }: Cluster, desk: Desk): Promise<void> {
  await kubectl.script(await readmeBlock("sh", "1. What the cluster needs once"), desk);
  await until("NodeConfigs are served", () => kubectl.run("get", "nodeconfigs"), { timeoutMs: MINUTE_MS });
  await kubectl.script(await readmeBlock("sh", "2. A NodeConfig for each node"), desk);
}

/** Step 3 for the node that the README names. Resolves when it is Ready. @returns what the README's last command prints */
export async function admitShownNode({ kubectl }: Cluster, desk: Desk): Promise<string> {
  return await kubectl.script(await readmeBlock("sh", "3. Let flock onto the nodes"), desk);
}

/** Step 3 for other nodes. Resolves when they are Ready. */
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
