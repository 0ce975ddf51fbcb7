/** A node comes from another network plugin, by the steps of the README. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { LabNode } from "../lab/node.ts";
import { ping } from "../lab/probes.ts";
import { exists, until } from "../lab/until.ts";
import type { Cluster } from "./cluster.ts";
import { type ClusterPod, readyPods } from "./cluster_pod.ts";
import { admitNodes, untilRolledOut } from "./flock.ts";

/** Sorts behind flock's. */
const CONFLIST = "/etc/cni/net.d/10-ptp.conflist";
const PLUGINS = ["ptp", "host-local"];
const NETWORK = {
  cniVersion: "1.0.0",
  name: "ptp",
  plugins: [{ type: "ptp", ipam: { type: "host-local", ranges: [[{ subnet: "10.244.0.0/24" }]] } }],
};

/** Gives the node a network of another plugin's. */
export async function installPtp(node: LabNode): Promise<void> {
  for (const plugin of PLUGINS) await node.output(["ln", "-s", `/usr/lib/cni/${plugin}`, `/opt/cni/bin/${plugin}`]);
  await node.write(CONFLIST, JSON.stringify(NETWORK));
}

/** The node serves pods by ptp; one of a DaemonSet, which a drain leaves, changes over last. */
export async function expectMigration(cluster: Cluster, node: LabNode): Promise<void> {
  const { kubectl, lab } = cluster;
  const podOf = async (): Promise<ClusterPod | undefined> =>
    (await readyPods(cluster, 2, "-l", "app=web")).find((pod) => pod.node === node);
  const old = await podOf();
  assertMatch(old?.address(4) ?? "", /^10\.244\.0\./);
  await kubectl.run("drain", node.name, "--ignore-daemonsets", "--force", "--delete-emptydir-data", "--timeout=55s");
  await admitNodes(cluster, node.name);
  await untilRolledOut(cluster);
  await until("flock's conflist is there", () => exists(node.outside("/etc/cni/net.d/01-flock.conflist")));
  await kubectl.run("delete", "pod", `${old?.name}`);
  await node.output(["rm", CONFLIST, ...PLUGINS.map((plugin) => `/opt/cni/bin/${plugin}`)]);
  await kubectl.run("uncordon", node.name);
  const young = await podOf();
  assert(young !== undefined && young.name !== old?.name);
  await lab.router.waitForRoute(node.spec.cidr4);
  assert(await ping(lab.client, young.address(4)) !== undefined);
  assert(await ping(lab.client, young.address(6)) !== undefined);
  const veths = (await node.output(["ip", "-o", "link", "show", "type", "veth"])).trim().split("\n");
  assertEquals(veths.filter((line) => !/: (flock[0-9a-f]{8}|up0)@/.test(line)), []);
}
