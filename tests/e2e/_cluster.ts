/** A lab whose nodes serve pods, and what its tests ask of it again and again. */
import { assert } from "@std/assert";
import { createLab, type Lab, type LabOptions } from "../lab/lab.ts";
import { record, records } from "../lab/json.ts";
import type { KubeObject } from "../lab/lab_api.ts";
import type { LabNode } from "../lab/node.ts";
import { ping, type Vantage } from "../lab/probes.ts";
import { nodeConfigOf } from "../lab/topology.ts";
import { until, type UntilOptions } from "../lab/until.ts";

export interface ClusterOptions extends LabOptions {
  /** False: pods come from calls of the plugin, see `createSandbox`. Default true. */
  readonly containerd?: boolean;
  /** Below `spec` of every NodeConfig. */
  readonly spec?: KubeObject;
}

/** Builds a lab and starts all of its nodes at once. Resolves when the router has their prefixes. */
export async function startCluster(options: ClusterOptions = {}): Promise<Lab> {
  const lab = await createLab(options);
  try {
    await Promise.all(lab.nodes.map((node) => startNode(lab, node, options)));
    return lab;
  } catch (error) {
    const logs = await Promise.all(lab.nodes.map((node) => node.readLog("agent")));
    await lab[Symbol.asyncDispose]();
    throw new Error(`Cannot start the cluster: ${error}; the agents wrote\n${logs.join("\n")}`, { cause: error });
  }
}

async function startNode(lab: Lab, node: LabNode, { containerd = true, spec = {} }: ClusterOptions): Promise<void> {
  const config = configOf(node, spec);
  if (containerd) await node.serve({ config });
  else await Promise.all([lab.api.apply(config), node.startBird(), node.startAgent()]);
  await Promise.all(prefixesOf(node).map((prefix) => lab.router.waitForRoute(prefix)));
}

/** @returns the node's NodeConfig with other fields in its spec */
export function configOf(node: LabNode, spec: KubeObject = {}): KubeObject {
  const config = nodeConfigOf(node.spec);
  return { ...config, spec: { ...record(config["spec"]), ...spec } };
}

/** @returns what the router learns of an ordinary node */
export function prefixesOf({ spec: { families, cidr4, cidr6 } }: LabNode): string[] {
  return families.map((family) => family === 4 ? cidr4 : cidr6);
}

/** @returns the REST path of a node's NodeConfig */
export function configPath(node: LabNode): string {
  return `/apis/flock.fritzlab.net/v1alpha1/nodeconfigs/${node.name}`;
}

/** Creates a Pod in the namespace `default`, bound to the node if one is named. @returns its UID */
export async function createPod(
  { api }: Lab,
  { nodeName, ...metadata }: {
    readonly name: string;
    readonly annotations: Readonly<Record<string, string>>;
    readonly nodeName?: string;
  },
): Promise<string> {
  const containers = [{ name: "main", image: "example.com/app:1" }];
  const spec = { automountServiceAccountToken: false, containers, ...(nodeName === undefined ? {} : { nodeName }) };
  const pod = await api.apply({ apiVersion: "v1", kind: "Pod", metadata: { namespace: "default", ...metadata }, spec });
  return String(record(pod["metadata"])["uid"]);
}

/** One echo request, which must be answered. `packetSize` in bytes, of the whole IP packet. */
export async function expectPing(from: Vantage, address: string, packetSize?: number): Promise<void> {
  const options = packetSize === undefined ? {} : { packetSize };
  assert(await ping(from, address, options) !== undefined, `there is no answer from ${address}`);
}

/** Waits until a condition of the NodeConfig has this reason. @returns its message */
export async function untilCondition(
  lab: Lab,
  node: LabNode,
  { type = "Ready", reason, generation = 0 }: { type?: string; reason: string; generation?: number },
): Promise<string> {
  return await until(`condition ${type} of ${node.name} is ${reason}`, async () => {
    const { conditions } = record((await lab.api.get(configPath(node)))?.["status"]);
    const found = records(conditions).find((condition) => condition["type"] === type);
    const upToDate = Number(found?.["observedGeneration"]) >= generation;
    return upToDate && found?.["reason"] === reason && String(found["message"]);
  });
}

/** Waits until an Event about the object has this reason, and a message that includes the text. @returns the message */
export async function untilEvent(
  lab: Lab,
  name: string,
  { reason, includes = "" }: { reason: string; includes?: string },
): Promise<string> {
  return await until(`an Event of ${name} is ${reason} and says ${includes}`, async () => {
    const messages = (await lab.api.events(name)).filter((event) => event["reason"] === reason)
      .map((event) => String(event["message"]));
    return messages.find((message) => message.includes(includes));
  });
}

/** Waits until the agent has logged a line that includes all of the words. @returns the line */
export async function untilLogged(
  node: LabNode,
  words: readonly string[],
  options: UntilOptions & { /** Characters of the log that do not count. */ readonly after?: number } = {},
): Promise<string> {
  return await until(`the agent logs ${words.join(" ")}`, async () => {
    const lines = (await node.readLog("agent")).slice(options.after ?? 0).split("\n");
    return lines.find((line) => words.every((word) => line.includes(word)));
  }, options);
}

/** @returns the allocations that the agent's state file holds */
export async function allocationsOf(node: LabNode): Promise<Record<string, unknown>[]> {
  return records(record(JSON.parse(await node.read("/var/lib/flock/allocations.json")))["allocations"]);
}

/** What the kernel of a node has of pods. */
export interface KernelView {
  /** Names of host ends. */
  readonly links: readonly string[];
  /** `address link` of the routes to pods. */
  readonly routes: readonly string[];
  /** `address link` of the sources that are let through; an IPv4 one that inet and arp do not agree on says so. */
  readonly grants: readonly string[];
}

/** @returns everything in order, so that two views compare */
export async function kernelOf(node: LabNode): Promise<KernelView> {
  const json = async (...argv: string[]): Promise<unknown> => JSON.parse((await node.output(argv)).trim() || "[]");
  const [links, four, six, own4, own6, arp4] = await Promise.all([
    json("ip", "-j", "link", "show", "type", "veth"),
    json("ip", "-j", "-4", "route", "show", "proto", "70"),
    json("ip", "-j", "-6", "route", "show", "proto", "70"),
    json("nft", "-j", "list", "set", "inet", "flock", "own4"),
    json("nft", "-j", "list", "set", "inet", "flock", "own6"),
    json("nft", "-j", "list", "set", "arp", "flock", "own4"),
  ]);
  const [inet, arp] = [new Set(grantsIn(own4)), new Set(grantsIn(arp4))];
  const torn = inet.symmetricDifference(arp);
  const grants = [...inet.union(arp)].map((grant) => torn.has(grant) ? `${grant} in one of inet and arp` : grant);
  const routes = [...records(four), ...records(six)].filter(({ type }) => type !== "blackhole");
  return {
    links: records(links).map(({ ifname }) => String(ifname)).filter((name) => /^flock[0-9a-f]{8}$/.test(name)).sort(),
    routes: routes.map(({ dst, dev }) => `${dst} ${dev}`).sort(),
    grants: [...grants, ...grantsIn(own6)].sort(),
  };
}

/** Elements of a set whose type is `ifname . address`, in nft's JSON. */
function grantsIn(listing: unknown): string[] {
  const set = records(record(listing)["nftables"]).map((entry) => record(entry["set"])).find(({ name }) => name);
  return records(set?.["elem"]).map(({ concat }) => Array.isArray(concat) ? `${concat[1]} ${concat[0]}` : "");
}
