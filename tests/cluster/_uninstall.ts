/** flock goes as it came, by the steps of the README, and the nodes are as before. */
import { assertEquals } from "@std/assert";
import { BUNDLE } from "../../deploy/manifest.ts";
import { records } from "../lab/json.ts";
import type { LabNode } from "../lab/node.ts";
import { readmeBlock } from "../lab/readme.ts";
import { until } from "../lab/until.ts";
import { removeWorkloads } from "./_everyday.ts";
import type { Cluster } from "./cluster.ts";
import { type Desk, GATE, NAMESPACE } from "./flock.ts";

/** What flock could leave on a node: links, addresses, routes, next hops, rules, tables, files. */
const TRACES = `
ip -o link | cut -d: -f2 | cut -d@ -f1
ip -o address show dev lo
ip route show table all | grep -v -e 'proto kernel' -e '^local' -e '^broadcast'
ip -6 route show table all | grep -v -e 'proto kernel' -e '^local' -e '^anycast' -e '^multicast'
ip nexthop; ip rule; ip -6 rule
nft list tables | grep flock
ls -A /etc/cni/net.d /opt/cni/bin`;

/** @returns what there is of flock's kind, line by line */
export async function tracesOn(node: LabNode): Promise<string[]> {
  return (await node.exec(["/bin/sh", "-c", TRACES])).stdout.split("\n");
}

/** Of flock's alone. */
const DIRECTORIES = ["/etc/flock", "/run/flock", "/var/lib/flock"];

/** @param options.before what there was on each node before flock came */
export async function expectNothingLeft(
  cluster: Cluster,
  { before, cwd }: Desk & { readonly before: ReadonlyMap<string, readonly string[]> },
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
  for (const [index, node] of lab.nodes.entries()) {
    // The README's node by the README's words; the others by hand.
    if (index === 0) await kubectl.script(await readmeBlock("sh", "which needs no network of pods"), { cwd });
    else await node.output(["/opt/cni/bin/flock", "uninstall"], { timeoutMs: 60_000 });
    assertEquals(await tracesOn(node), before.get(node.name), node.name);
    const { stdout } = await node.exec(["find", ...DIRECTORIES, "-maxdepth", "1"]);
    const left = stdout.split("\n").filter((path) => path !== "");
    assertEquals(left, index === 0 ? DIRECTORIES : [], `${node.name}: mount points stay, empty`);
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
