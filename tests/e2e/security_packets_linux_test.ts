/** What a hostile pod sends, in whole frames, and what becomes of it: nothing. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { NEXT_HOP } from "../../src/next_hop/next_hop.ts";
import { records } from "../lab/json.ts";
import type { Lab } from "../lab/lab.ts";
import { arpFrameOf } from "../lab/raw_frames.ts";
import type { LabNode } from "../lab/node.ts";
import { type Capture, capture, ping, type Vantage } from "../lab/probes.ts";
import { CLIENT, ROUTER } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import { expectPing, kernelOf, startCluster, untilLogged } from "./_cluster.ts";
import {
  ip,
  neighborAdvertisement,
  redirect4,
  redirect6,
  routerAdvertisement,
  sendFrames,
  udpFrame,
} from "./_raw_pod.ts";
import { addSandbox, createSandbox, type Sandbox } from "./_sandbox.ts";

const ANYCAST = { 4: "198.18.0.1", 6: "2001:db8:a::1" } as const;
/** Of every spoofed datagram, and of those from the pod's own address that show that the others could have been seen. */
const PORT = 4242;
const PREFIX = "2001:db8:bad::";
/** What only one pod can have. */
const ONE_ADDRESS = { "flock.fritzlab.net/cidr4": "203.0.113.50/32", "flock.fritzlab.net/ipv6": "false" };

interface Scene {
  readonly lab: Lab;
  readonly node: LabNode;
  readonly hostile: Sandbox;
  readonly victim: Sandbox;
  /** A pod without IPv6, hostile too. */
  readonly ipv4Only: Sandbox;
}

Deno.test("a hostile pod is heard by nobody, and changes nothing outside of itself", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const [hostile, victim, ipv4Only] = await Promise.all([
    addSandbox(node),
    addSandbox(node),
    addAnnotated(node, { "flock.fritzlab.net/ipv6": "false" }),
  ]);
  const scene: Scene = { lab, node, hostile, victim, ipv4Only };
  await witness(node, hostile);

  await t.step("both ends know each other for good, and nobody asks", () => expectNoQuestion(scene));
  await t.step("no spoofed source is seen by node, pod or router (T-SEC-10)", () => expectNoSpoof(scene));
  await t.step("an advertised router changes no route and no address, with IPv6 and without (T-SEC-11)", async () => {
    await expectThatItWouldWork(node);
    await expectNoRouter(scene);
  });
  await t.step("redirects change no route (T-SEC-12)", () => expectNoRedirect(scene));
  await t.step("gratuitous ARP and NA change no neighbour (T-SEC-13)", () => expectNoNeighbor(scene));
  await t.step(
    "an anycast address that was not granted gets no answer out, and no route in (T-SEC-15)",
    () => expectNoAnycast(scene),
  );
  await t.step(
    "without the agent all that holds, and either layer is enough against routers and redirects",
    async () => {
      await node.stopAgent("SIGKILL");
      await expectNoSpoof(scene);
      for (const pod of [hostile, ipv4Only]) await acceptEverything(node, pod);
      await expectNoRouter(scene);
      await expectNoRedirect(scene);
      await node.output(["nft", "delete", "table", "inet", "flock"]);
      for (const pod of [hostile, ipv4Only]) await acceptNothing(node, pod);
      await expectNoRouter(scene, { guarded: false });
      await expectNoRedirect(scene, { guarded: false });
      await node.startAgent();
      await untilLogged(node, ["serving"]);
      await expectNoSpoof(scene);
    },
  );
  await t.step("whatever the pod did to itself, its DEL succeeds and nothing of it stays", async () => {
    await hostile.output([
      "sh",
      "-c",
      "ip link set eth0 name gone; ip address add 10.9.9.9/8 dev lo; ip link set lo down",
    ]);
    await ipv4Only.output(["ip", "link", "delete", "eth0"]);
    for (const pod of [hostile, victim, ipv4Only]) await pod.remove();
    assertEquals(await kernelOf(node), { links: [], routes: [], grants: [] });
  });
  await t.step(
    "a pair of link and address is gone before the address is anybody else's (T-SEC-16)",
    () => expectNoOldPair(node),
  );
});

async function expectNoQuestion({ lab, node, victim }: Scene): Promise<void> {
  await using asked = await capture(node, "arp or icmp6[0] = 135 or icmp6[0] = 136", { link: victim.hostLink });
  for (const family of [4, 6] as const) await expectPing(lab.client, victim.address(family));
  assertEquals(await asked.packets(0), []);
  const host = await node.output(["ip", "neigh", "show", "dev", victim.hostLink, "nud", "permanent"]);
  for (const address of victim.addresses) assert(host.includes(`${address} lladdr`), host);
  const inside = await victim.output(["ip", "neigh", "show", "dev", "eth0", "nud", "permanent"]);
  for (const gateway of Object.values(NEXT_HOP)) assert(inside.includes(`${gateway} lladdr`), inside);
}

async function addAnnotated(node: LabNode, annotations: Record<string, string>): Promise<Sandbox> {
  return await addSandbox(node, { config: annotated(annotations) });
}

/** The annotations as a runtime passes them on. */
function annotated(annotations: Record<string, string>): Record<string, unknown> {
  return { runtimeConfig: { "io.kubernetes.cri.pod-annotations": annotations } };
}

/** Counts what comes from the pod right behind the guard, whoever it is for. */
async function witness(node: LabNode, { hostLink }: Sandbox): Promise<void> {
  const rule = `iifname ${hostLink} udp dport ${PORT} counter name passed`;
  const chain = `chain pre { type filter hook prerouting priority -300; ${rule}; }`;
  await node.output(["nft", `table inet witness { counter passed { }; ${chain}; }`]);
}

async function packetsOf(node: LabNode, counter: string): Promise<number> {
  const text = await node.output(["nft", "list", "counter", "inet", ...counter.split(" ")]);
  return Number(/packets (\d+)/.exec(text)?.[1]);
}

async function expectNoSpoof({ lab, node, hostile, victim }: Scene): Promise<void> {
  const { addresses } = node.spec;
  const sources = {
    4: [victim.address(4), addresses[4] ?? "", ROUTER[4], ANYCAST[4], "203.0.113.62", NEXT_HOP[4], "8.8.8.8"],
    6: [victim.address(6), addresses[6] ?? "", ROUTER[6], ANYCAST[6], "2001:db8:f001::bad", NEXT_HOP[6], "2001:db8::8"],
  };
  const impossible = {
    4: ["127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1"],
    6: ["::1", "::", "ff02::1", "fe80::5", `::ffff:${hostile.address(4)}`],
  };
  const frames = ([4, 6] as const).flatMap((family) => {
    const targets = [addresses[family] ?? "", victim.address(family), CLIENT[family]];
    const spoofed = [...sources[family], ...impossible[family]];
    return targets.flatMap((to) => [...spoofed, hostile.address(family)].map((from) => udpFrame(from, to, PORT)));
  });
  await using atRouter = await capture(lab.router, `udp dst port ${PORT}`);
  await using atVictim = await capture(node, `udp dst port ${PORT}`, { link: victim.hostLink });
  const before = await packetsOf(node, "witness passed");
  await sendFrames(hostile, frames);
  for (const [where, own] of [[atRouter, CLIENT], [atVictim, addressesOf(victim)]] as const) {
    await expectOnly(where, hostile, own);
  }
  assertEquals(await packetsOf(node, "witness passed") - before, 6);
}

function addressesOf(pod: Sandbox): { 4: string; 6: string } {
  return { 4: pod.address(4), 6: pod.address(6) };
}

/** The pod's own datagram of each family has come (at the router on two links), and no other. */
async function expectOnly(seen: Capture, pod: Sandbox, to: { 4: string; 6: string }): Promise<void> {
  const distinct = async (): Promise<string[]> => {
    const packets = await seen.packets(2);
    return [
      ...new Set(packets.map((packet) => / (\S+)\.\d+ > (\S+)\.\d+: /.exec(packet)?.slice(1).join(" ") ?? packet)),
    ];
  };
  await until("both own datagrams are seen", async () => (await distinct()).length >= 2);
  assertEquals((await distinct()).sort(), [`${pod.address(4)} ${to[4]}`, `${pod.address(6)} ${to[6]}`].sort());
}

/** Routes and addresses, without what counts down. */
async function networkOf(node: Vantage): Promise<string> {
  const words = ["ip route show table all", "ip -6 route show table all", "ip route show cache", "ip address"];
  const { stdout } = await node.exec(["sh", "-c", words.join("; ")]);
  return stdout.replace(/ (?:expires|valid_lft|preferred_lft) \w+/g, "");
}

async function expectNoRouter({ node, hostile, ipv4Only }: Scene, { guarded = true } = {}): Promise<void> {
  const froms = ["fe80::5", "fe80::ff:1", hostile.address(6)];
  const frames = froms.map((from) => routerAdvertisement(from, PREFIX));
  await expectUnchanged(node, async () => {
    const before = guarded ? await packetsOf(node, "flock router_advert") : 0;
    for (const pod of [hostile, ipv4Only]) await sendFrames(pod, frames);
    // A link without IPv6 takes none of them as far as to the guard.
    if (guarded) assertEquals(await packetsOf(node, "flock router_advert") - before, froms.length);
  });
}

/** The same advertisement is believed where it is wanted. */
async function expectThatItWouldWork(node: LabNode): Promise<void> {
  const setUp = [
    "ip link add ra0 type veth peer name ra1",
    "echo 2 >/run/flock/sys/ipv6/conf/ra0/accept_ra",
    "ip link set ra0 up; ip link set ra1 up",
  ];
  await node.output(["sh", "-ec", setUp.join("\n")]);
  await sendFrames(node, [routerAdvertisement("fe80::5", PREFIX)], { link: "ra1" });
  await until("the advertised router is believed", async () => {
    const routes = await node.output(["ip", "-6", "route", "show", "dev", "ra0"]);
    return routes.includes("default via fe80::5") && routes.includes(PREFIX);
  });
  await node.output(["ip", "link", "delete", "ra0"]);
}

async function expectNoRedirect({ node, hostile, victim, ipv4Only }: Scene, { guarded = true } = {}): Promise<void> {
  const to = { 4: node.spec.addresses[4] ?? "", 6: node.spec.addresses[6] ?? "" };
  const abouts = [CLIENT, addressesOf(victim), ANYCAST];
  const [via4, via6] = [hostile.address(4), hostile.address(6)];
  const frames4 = abouts.flatMap((about) =>
    [ROUTER[4], via4].map((from) => redirect4(from, { about: about[4], via: via4, to: to[4] }))
  );
  const frames6 = abouts.flatMap((about) =>
    ["fe80::ff:1", "fe80::5", via6].map((from) => redirect6(from, { about: about[6], via: via6, to: to[6] }))
  );
  await expectUnchanged(node, async () => {
    const before = guarded ? await packetsOf(node, "flock icmp_redirect") : 0;
    for (const pod of [hostile, ipv4Only]) await sendFrames(pod, [...frames4, ...frames6]);
    const sent = 2 * frames4.length + frames6.length;
    if (guarded) assertEquals(await packetsOf(node, "flock icmp_redirect") - before, sent);
  });
  for (const about of [CLIENT, addressesOf(victim)]) {
    for (const family of [4, 6] as const) {
      const route = await node.output(["ip", "route", "get", about[family]]);
      assert(!route.includes(hostile.hostLink) && !route.includes("redirected"), route);
    }
  }
}

/** Once the frames are sent the kernel has done with them: a veth hands them over at once. */
async function expectUnchanged(node: LabNode, deed: () => Promise<void>): Promise<void> {
  const before = await networkOf(node);
  await deed();
  assertEquals(await networkOf(node), before);
}

/**
 * address, link and MAC address of each neighbour; their state comes and goes. Entries belong to links: what a pod says on its own cannot be
 * in those of the uplink, where node and router go on to ask each other.
 */
async function neighborsOf(where: Vantage): Promise<string[]> {
  const { stdout } = await where.exec(["ip", "-j", "neigh", "show", "nud", "all"]);
  const all = records(JSON.parse(stdout.trim() || "[]"));
  const known = all.filter(({ lladdr, dev }) => typeof lladdr === "string" && dev !== "up0");
  return known.map(({ dst, dev, lladdr, state }) => `${dst} ${dev} ${lladdr} ${String(state) === "PERMANENT"}`).sort();
}

async function expectNoNeighbor({ lab, node, hostile, victim }: Scene): Promise<void> {
  const [four, six] = [node.spec.addresses[4] ?? "", node.spec.addresses[6] ?? ""];
  for (const family of [4, 6] as const) await expectPing(lab.client, victim.address(family));
  const views = (): Promise<string[][]> => Promise.all([node, victim].map(neighborsOf));
  const before = await views();
  const others4 = [NEXT_HOP[4], victim.address(4), four, ROUTER[4], hostile.address(4), "203.0.113.62"];
  const others6 = [
    NEXT_HOP[6],
    victim.address(6),
    six,
    ROUTER[6],
    "fe80::ff:1",
    hostile.address(6),
    "2001:db8:f001::bad",
  ];
  await sendFrames(hostile, [
    ...others4.flatMap((text) =>
      [true, false].map((isReply) => arpFrameOf({ from: ip(text), target: ip(text), isReply }))
    ),
    ...others4.map((text) => arpFrameOf({ from: ip(text), target: ip(NEXT_HOP[4]), isReply: true })),
    ...others6.flatMap((text) =>
      ["fe80::5", hostile.address(6), text].map((from) => neighborAdvertisement(from, text))
    ),
  ]);
  assertEquals(await views(), before);
  for (const family of [4, 6] as const) await expectPing(lab.client, victim.address(family));
}

/**
 * Somebody else has routed the address to the pod, so that the pod hears of it; and its owner, who has it on `lo`, answers. What flock
 * has to do with it: the answer does not pass, and neither kernel nor router learn of the address from flock.
 */
async function expectNoAnycast({ lab, node, hostile }: Scene): Promise<void> {
  const before = await kernelOf(node);
  await hostile.output(["ip", "address", "add", `${ANYCAST[4]}/32`, "dev", "lo"]);
  await hostile.output(["ip", "-6", "address", "add", `${ANYCAST[6]}/128`, "dev", "lo"]);
  for (const family of [4, 6] as const) {
    const [route, asked] = [["ip", `-${family}`, "route"], ANYCAST[family]];
    await lab.router.output([...route, "add", asked, "via", node.spec.addresses[family] ?? ""]);
    await node.output([...route, "add", asked, "via", hostile.address(family), "dev", hostile.hostLink, "onlink"]);
    await using seen = await capture(node, `host ${asked}`, { link: hostile.hostLink });
    assertEquals(await ping(lab.client, asked, { timeoutMs: 300 }), undefined);
    const kinds = (await seen.packets(2)).map((packet) => /echo (request|reply)/.exec(packet)?.[1]);
    assertEquals(kinds.slice(0, 2), ["request", "reply"]);
    await node.output([...route, "delete", asked]);
    await lab.router.output([...route, "delete", asked]);
  }
  assertEquals(await kernelOf(node), before);
  const advertised = [...(await lab.router.bgpRoutes()).keys()];
  assertEquals(advertised.filter((prefix) => Object.values(ANYCAST).some((text) => prefix.startsWith(text))), []);
}

/** Whatever the kernel would let a link do, as some distributions set it. */
async function acceptEverything(node: LabNode, { hostLink }: Sandbox): Promise<void> {
  await setSysctls(node, { hostLink, value: 1, router: 2 });
}

async function acceptNothing(node: LabNode, { hostLink }: Sandbox): Promise<void> {
  await setSysctls(node, { hostLink, value: 0, router: 0 });
}

async function setSysctls(
  node: LabNode,
  { hostLink, value, router }: { hostLink: string; value: number; router: number },
): Promise<void> {
  const lines = [
    `echo ${router} >/run/flock/sys/ipv6/conf/${hostLink}/accept_ra`,
    ...[4, 6].map((family) => `echo ${value} >/run/flock/sys/ipv${family}/conf/${hostLink}/accept_redirects`),
  ];
  await node.output(["sh", "-ec", lines.join("\n")]);
}

async function expectNoOldPair(node: LabNode): Promise<void> {
  const config = annotated(ONE_ADDRESS);
  const pairOf = (pod: Sandbox): string => `203.0.113.50 ${pod.hostLink}`;
  const [first, second, third] = [await createSandbox(node), await createSandbox(node), await createSandbox(node)];
  await first.add({ config });
  await first.call("DEL");
  await second.add({ config });
  assertEquals((await kernelOf(node)).grants, [pairOf(second)]);

  // An nft that hangs, and dies, holds the DEL up; nobody gets the address while the pair may still be there.
  const conversation = (await node.output(["pgrep", "-f", "nft -i$"])).trim(); // in the node's own pid namespace
  await node.output(["kill", "-STOP", conversation]);
  const removed = second.call("DEL");
  await until("the DEL has begun", async () => !(await kernelOf(node)).links.includes(second.hostLink));
  const refused = await third.call("ADD", { config });
  assertEquals(refused.code, 11, refused.msg);
  assertMatch(refused.msg, /203\.0\.113\.50/);
  assertEquals((await kernelOf(node)).grants, [pairOf(second)]);
  await node.output(["kill", "-KILL", conversation]);
  assertEquals((await removed).exit, 0);
  await third.add({ config });
  assertEquals((await kernelOf(node)).grants, [pairOf(third)]);
  await third.remove();
}
