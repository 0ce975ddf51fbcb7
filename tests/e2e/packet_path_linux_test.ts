/** The node's side of the packet path: what is there before any pod. */
import { assertEquals } from "@std/assert";
import { createLab, type Lab } from "../lab/lab.ts";
import { records } from "../lab/json.ts";
import type { LabNode } from "../lab/node.ts";
import { capture, ping } from "../lab/probes.ts";
import { CLIENT } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import { configOf, expectPing } from "./_cluster.ts";

const FREE = { 4: "203.0.113.40", 6: "2001:db8:f001::dead" } as const;

Deno.test("a node that has its default route from router advertisements keeps it", async () => {
  await using lab = await createLab({ nodes: 1, api: "embedded" });
  const node = lab.node("node-a");
  await advertise(lab);
  await node.output(["ip", "-6", "route", "delete", "default"]);
  await untilAdvertised(node);
  assertEquals(await sysctlOf(node, "ipv6/conf/up0/accept_ra"), "1");
  await lab.api.apply(configOf(node));
  await node.startAgent();
  await until("forwarding is on", async () => await sysctlOf(node, "ipv6/conf/all/forwarding") === "1");
  assertEquals(await sysctlOf(node, "ipv6/conf/up0/accept_ra"), "2");
  await node.output(["ip", "-6", "route", "delete", "default"]);
  await untilAdvertised(node);
  await expectPing(node, CLIENT[6]);
});

Deno.test("a node whose router advertises itself only after forwarding went on hears it all the same", async () => {
  await using lab = await createLab({ nodes: 1, api: "embedded" });
  const node = lab.node("node-a");
  await node.output(["ip", "-6", "route", "delete", "default"]);
  await lab.api.apply(configOf(node));
  await node.startAgent();
  await until("forwarding is on", async () => await sysctlOf(node, "ipv6/conf/all/forwarding") === "1");
  await advertise(lab);
  await untilAdvertised(node);
  assertEquals(await sysctlOf(node, "ipv6/conf/up0/accept_ra"), "2");
  await expectPing(node, CLIENT[6]);
});

Deno.test("a node's CIDRs end in blackholes before BGP is up: nothing sent to a free address circles (T-REL-35)", async () => {
  await using lab = await createLab({ nodes: 1, api: "embedded" });
  const node = lab.node("node-a");
  await lab.api.apply(configOf(node));
  await node.startAgent();
  await until("the blackholes are there", async () => (await blackholesOf(node)).length === 2);
  assertEquals(await blackholesOf(node), [node.spec.cidr6, node.spec.cidr4]);
  await node.startBird();
  await Promise.all([lab.router.waitForRoute(node.spec.cidr4), lab.router.waitForRoute(node.spec.cidr6)]);
  const free = `icmp[icmptype] = icmp-timxceed or icmp6[0] = 3 or dst host ${FREE[4]} or dst host ${FREE[6]}`;
  await using seen = await capture(node, free, { link: "up0" });
  for (const family of [4, 6] as const) {
    assertEquals(await ping(lab.client, FREE[family], { timeoutMs: 300 }), undefined);
  }
  const packets = await seen.packets(2);
  assertEquals(packets.map((packet) => /(echo request|exceeded)/.exec(packet)?.[1]), Array(2).fill("echo request"));
});

/** The router sends router advertisements to the nodes every second or so. */
async function advertise({ router }: Lab): Promise<void> {
  const lines = ["configure terminal", "interface br0", "no ipv6 nd suppress-ra", "ipv6 nd ra-interval msec 500"];
  await router.output(["vtysh", ...lines.flatMap((line) => ["-c", line])]);
}

async function untilAdvertised(node: LabNode): Promise<void> {
  await until(
    "the default route is learnt from the router",
    async () => (await node.output(["ip", "-6", "route", "show", "default", "proto", "ra"])).includes("up0"),
    { timeoutMs: 15_000 },
  );
}

/** Read inside: what stands below /proc/sys/net depends on who opens it. */
async function sysctlOf(node: LabNode, name: string): Promise<string> {
  return (await node.output(["cat", `/proc/sys/net/${name}`])).trim();
}

/** @returns the prefixes of flock's own blackholes */
async function blackholesOf(node: LabNode): Promise<string[]> {
  const list = async (family: string): Promise<string[]> => {
    const routes = await node.output(["ip", "-j", family, "route", "show", "type", "blackhole", "proto", "70"]);
    return records(JSON.parse(routes.trim() || "[]")).map(({ dst }) => String(dst));
  };
  return (await Promise.all([list("-6"), list("-4")])).flat();
}
