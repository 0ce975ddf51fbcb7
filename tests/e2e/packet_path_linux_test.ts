/** The node's side of the packet path: what is there before any pod, what pods cannot do, and what comes back when others take it away. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { createLab, type Lab } from "../lab/lab.ts";
import { records } from "../lab/json.ts";
import type { LabNode } from "../lab/node.ts";
import { capture, ping } from "../lab/probes.ts";
import { CLIENT } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import { configOf, expectPing, kernelOf, startCluster, untilLogged } from "./_cluster.ts";
import { addSandbox, type Sandbox } from "./_sandbox.ts";

/** So much damage at once takes longer than each by itself. */
const REPAIR_MS = 5_000;
const FREE = { 4: "203.0.113.40", 6: "2001:db8:f001::dead" } as const;
const FOREIGN = { 4: "203.0.113.62", 6: "2001:db8:f001::bad" } as const;

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

Deno.test("the packet path asks nobody, lets nobody spoof, and comes back when it is damaged", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const pod = await addSandbox(node);
  await t.step("both ends know each other for good, and nobody asks", async () => {
    await using asked = await capture(node, "arp or icmp6[0] = 135 or icmp6[0] = 136", { link: pod.hostLink });
    for (const family of [4, 6] as const) await expectPing(lab.client, pod.address(family));
    assertEquals(await asked.packets(0), []);
    const host = await node.output(["ip", "neigh", "show", "dev", pod.hostLink, "nud", "permanent"]);
    for (const address of pod.addresses) assert(host.includes(`${address} lladdr`), host);
    const inside = await pod.output(["ip", "neigh", "show", "dev", "eth0", "nud", "permanent"]);
    for (const gateway of ["169.254.1.1", "fe80::1"]) assert(inside.includes(`${gateway} lladdr`), inside);
  });
  await t.step("no spoofed packet leaves: agent alive, killed, started again", async () => {
    await pod.output(["ip", "address", "add", `${FOREIGN[4]}/32`, "dev", "eth0"]);
    await pod.output(["ip", "address", "add", `${FOREIGN[6]}/128`, "dev", "eth0", "nodad"]);
    await using spoofed = await capture(lab.router, `src host ${FOREIGN[4]} or src host ${FOREIGN[6]}`);
    await expectNoSpoof(lab, pod);
    await node.stopAgent("SIGKILL");
    await expectNoSpoof(lab, pod);
    await node.startAgent();
    await untilLogged(node, ["serving"]);
    await expectNoSpoof(lab, pod);
    assertEquals(await spoofed.packets(0), []);
  });
  await t.step("what others take away comes back, each with a line in the log (T-REL-28, T-REL-51)", async () => {
    const before = await kernelOf(node);
    const [four, six] = [pod.address(4), pod.address(6)];
    const mark = (await node.readLog("agent")).length;
    const vandalism: [command: string, logged: readonly string[]][] = [
      [`ip route delete ${four}`, ["repaired", `host route ${four}`]],
      [`ip -6 route delete ${six}`, ["repaired", `host route ${six}`]],
      [`ip neigh delete ${four} dev ${pod.hostLink}`, ["repaired", `permanent neighbour ${four}`]],
      [`ip address delete fe80::1/64 dev ${pod.hostLink}`, ["repaired", "address fe80::1"]],
      ["ip address delete 169.254.1.1/32 dev lo", ["node changed", "169.254.1.1/32"]],
      [`ip route delete blackhole ${node.spec.cidr4}`, ["node changed", `blackhole ${node.spec.cidr4}`]],
      [`ip -6 route delete blackhole ${node.spec.cidr6}`, ["node changed", `blackhole ${node.spec.cidr6}`]],
      ["echo 0 >/run/flock/sys/ipv4/ip_forward", ["node changed", "ip_forward"]],
      ["nft flush ruleset", ["repaired", "table inet flock or table arp flock is gone"]],
    ];
    await node.output(["sh", "-ec", vandalism.map(([command]) => command).join("\n")]);
    assertEquals(await ping(lab.client, four, { timeoutMs: 200 }), undefined);
    for (const [, words] of vandalism) await untilLogged(node, words, { after: mark, timeoutMs: REPAIR_MS });
    await until("the kernel is as before", async () => JSON.stringify(await kernelOf(node)) === JSON.stringify(before));
    for (const family of [4, 6] as const) await expectPing(lab.client, pod.address(family));
    const neighbours = await node.output(["ip", "neigh", "show", "dev", pod.hostLink]);
    assertMatch(neighbours, new RegExp(`${four.replaceAll(".", "\\.")} lladdr .* PERMANENT`));
  });
  await pod.remove();
  assertEquals(await kernelOf(node), { links: [], routes: [], grants: [] });
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

/** Own packets pass, foreign ones get no answer. */
async function expectNoSpoof(lab: Lab, pod: Sandbox): Promise<void> {
  for (const family of [4, 6] as const) {
    assertEquals(await ping(pod, CLIENT[family], { source: FOREIGN[family], timeoutMs: 200 }), undefined);
    assert(await ping(pod, CLIENT[family], { source: pod.address(family) }) !== undefined);
    await expectPing(lab.client, pod.address(family));
  }
}
