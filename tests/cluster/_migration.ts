/** A node comes from other network plugins, by the steps of the README. */
import { assert, assertEquals } from "@std/assert";
import type { LabNode } from "../lab/node.ts";
import { ping } from "../lab/probes.ts";
import { exists, until } from "../lab/until.ts";
import type { Cluster } from "./cluster.ts";
import { type ClusterPod, readyPods, workload } from "./cluster_pod.ts";
import { admitNodes, untilRolledOut } from "./flock.ts";

const CONFLIST_DIR = "/etc/cni/net.d";

/** A network of another plugin's. */
interface OtherNetwork {
  /** Sorts behind flock's. */
  readonly conflist: string;
  /** What its pods' IPv4 addresses begin with. */
  readonly addresses: string;
  readonly plugin: Readonly<Record<string, unknown>>;
}

const PTP: OtherNetwork = { conflist: "10-ptp.conflist", addresses: "10.244.0.", plugin: { type: "ptp" } };
/** Takes precedence over that one, so that a node has pods of both. */
const BRIDGE: OtherNetwork = {
  conflist: "05-bridge.conflist",
  addresses: "10.245.0.",
  plugin: { type: "bridge", bridge: "cni0", isGateway: true },
};
const PLUGINS = ["ptp", "bridge", "host-local"];

/** Gives the node a network of ptp's. */
export async function installPtp(node: LabNode): Promise<void> {
  for (const plugin of PLUGINS) await node.output(["ln", "-s", `/usr/lib/cni/${plugin}`, `/opt/cni/bin/${plugin}`]);
  await write(node, PTP);
}

async function write(node: LabNode, { conflist, addresses, plugin }: OtherNetwork): Promise<void> {
  const ipam = { type: "host-local", ranges: [[{ subnet: `${addresses}0/24` }]] };
  const plugins = [{ ...plugin, ipam }];
  const network = { cniVersion: "1.0.0", name: String(plugin["type"]), plugins };
  await node.write(`${CONFLIST_DIR}/${conflist}`, JSON.stringify(network));
}

/**
 * The node serves one pod by ptp and, since it has another conflist, one by bridge. Both are of DaemonSets, which a drain leaves, and change
 * over last.
 */
export async function expectMigration(cluster: Cluster, node: LabNode): Promise<void> {
  const { kubectl, lab } = cluster;
  const old = await podsOfBoth(cluster, node);
  await kubectl.run("drain", node.name, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=55s");
  await admitNodes(cluster, node.name);
  await untilRolledOut(cluster);
  await until("flock's conflist is there", () => exists(node.outside(`${CONFLIST_DIR}/01-flock.conflist`)));
  const conflists = [PTP, BRIDGE].map(({ conflist }) => `${CONFLIST_DIR}/${conflist}`);
  await node.output(["rm", ...conflists, ...PLUGINS.map((plugin) => `/opt/cni/bin/${plugin}`)]);
  await kubectl.run("delete", "pod", ...old.map(({ name }) => name));
  await node.output(["ip", "link", "delete", "cni0"]);
  await kubectl.run("uncordon", node.name);
  const young = [await podOn(cluster, { node, app: "web", count: 2 }), await podOn(cluster, { node, app: "other" })];
  await lab.router.waitForRoute(node.spec.cidr4);
  for (const pod of young) {
    assert(!old.some(({ name }) => name === pod.name));
    assert(await ping(lab.client, pod.address(4)) !== undefined);
    assert(await ping(lab.client, pod.address(6)) !== undefined);
  }
  const veths = (await node.output(["ip", "-o", "link", "show", "type", "veth"])).trim().split("\n");
  assertEquals(veths.filter((line) => !/: (flock[0-9a-f]{8}|up0)@/.test(line)), []);
  assertEquals(await node.output(["ip", "route", "show", "root", "10.244.0.0/15"]), "");
  await kubectl.run("delete", "daemonset/other");
}

/** @returns the node's pods, one by each of the other plugins */
async function podsOfBoth(cluster: Cluster, node: LabNode): Promise<ClusterPod[]> {
  const { kubectl } = cluster;
  const byPtp = await podOn(cluster, { node, app: "web", count: 2 });
  assert(byPtp.address(4).startsWith(PTP.addresses));
  await write(node, BRIDGE);
  await kubectl.apply([workload("DaemonSet", "other", { spec: { nodeSelector: nodeLabel(node) } })]);
  const byBridge = await until("a pod by bridge", async () => {
    const pod = await podOn(cluster, { node, app: "other" });
    if (pod.address(4).startsWith(BRIDGE.addresses)) return pod;
    await kubectl.run("delete", "pod", pod.name); // the runtime had not yet read the conflist
    return false;
  }, { timeoutMs: 60_000 });
  return [byPtp, byBridge];
}

function nodeLabel({ name }: LabNode): Record<string, string> {
  return { "kubernetes.io/hostname": name };
}

/** @returns the Ready pod of an app that has `count` of them, one on that node */
async function podOn(
  cluster: Cluster,
  { node, app, count = 1 }: { readonly node: LabNode; readonly app: string; readonly count?: number },
): Promise<ClusterPod> {
  const pod = (await readyPods(cluster, count, "-l", `app=${app}`)).find((pod) => pod.node === node);
  if (pod === undefined) throw new Error(`Cannot find the pod of ${app} on ${node.name}: there is none`);
  return pod;
}
