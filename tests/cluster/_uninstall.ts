/** flock goes as it came, by the steps of the README, and the nodes are as before. */
import { assertEquals } from "@std/assert";
import { BUNDLE } from "../../deploy/manifest.ts";
import { records } from "../lab/json.ts";
import type { LabNode } from "../lab/node.ts";
import { until } from "../lab/until.ts";
import { removeWorkloads } from "./_everyday.ts";
import type { Cluster } from "./cluster.ts";
import { GATE, NAMESPACE } from "./flock.ts";

/** What flock could leave on a node: links, addresses, routes, next hops, rules, tables, files. */
const TRACES = `
ip -o link | cut -d: -f2 | cut -d@ -f1
ip -o address show dev lo
ip route show table all | grep -v -e 'proto kernel' -e '^local' -e '^broadcast'
ip -6 route show table all | grep -v -e 'proto kernel' -e '^local' -e '^anycast' -e '^multicast'
ip nexthop; ip rule; ip -6 rule
nft list tables | grep flock
ls -A /etc/cni/net.d /opt/cni/bin
ls -d /run/flock /etc/flock /var/lib/flock`;

/** @returns what there is of flock's kind, line by line */
export async function tracesOn(node: LabNode): Promise<string[]> {
  return (await node.exec(["/bin/sh", "-c", TRACES])).stdout.split("\n");
}

/** @param before of each node, from before flock came */
export async function expectNothingLeft(
  cluster: Cluster,
  before: ReadonlyMap<string, readonly string[]>,
): Promise<void> {
  const { kubectl, lab } = cluster;
  const names = lab.nodes.map(({ name }) => name);
  await removeWorkloads(cluster);
  await kubectl.run("label", "node", ...names, `${GATE}-`);
  await until(
    "agents and BIRDs are gone",
    async () => records((await kubectl.get("pod", "-n", NAMESPACE))["items"]).length === 0,
    {
      timeoutMs: 60_000,
      everyMs: 200,
    },
  );
  for (const node of lab.nodes) {
    await node.output(["/opt/cni/bin/flock", "uninstall"], { timeoutMs: 60_000 });
    assertEquals(await tracesOn(node), before.get(node.name), node.name);
  }
  await kubectl.run("delete", "-f", BUNDLE.pathname, "--timeout=55s");
  const left = await kubectl.run(
    "get",
    "crd,clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding,namespace",
    "-o",
    "name",
  );
  assertEquals(left.split("\n").filter((name) => name.includes("flock")), []);
}
