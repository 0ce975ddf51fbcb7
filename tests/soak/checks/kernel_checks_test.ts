/** Routes, both ends, sysctls and what is not flock's: what is planted is named, and nothing else. */
import { assert, assertEquals } from "@std/assert";
import { ANYCAST, changed, EXPECTED, ID, KERNEL, LINK, LIVE, POD } from "./_well.ts";
import { judgeEnds, linkLocalOf, type PodSight } from "./ends.ts";
import { describeForeign, judgeForeign } from "./foreign.ts";
import { describeRoute, type KernelSight } from "./kernel.ts";
import { judgeRoutes } from "./routes.ts";
import { judgeSysctls } from "./sysctls.ts";

function ends(kernel: Partial<KernelSight> = {}, pod: Partial<PodSight> = {}): string[] {
  return judgeEnds(
    { kernel: { ...KERNEL, ...kernel }, pods: new Map([[LIVE.netns, { ...POD, ...pod }]]) },
    EXPECTED,
  );
}

Deno.test("judgeRoutes() names a route of flock's that is too much, missing, altered or in another table", () => {
  assertEquals(judgeRoutes(KERNEL, EXPECTED), []);
  const ghost = {
    type: "unicast",
    dst: "198.18.0.9",
    dev: LINK,
    table: "main",
    protocol: "70",
    scope: "link",
    metric: 20,
  };
  assertEquals(judgeRoutes({ routes: [...KERNEL.routes, ghost] }, EXPECTED), [
    `flock's routes: ${describeRoute(ghost)} is too much`,
  ]);
  assertEquals(judgeRoutes({ routes: [...KERNEL.routes, { ...ghost, table: "99" }] }, EXPECTED).length, 1);
  assertEquals(judgeRoutes({ routes: KERNEL.routes.filter(({ dst }) => dst !== "198.18.0.7") }, EXPECTED), [
    `flock's routes: unicast 198.18.0.7 dev ${LINK} table main proto 70 scope link metric 20 is missing`,
  ]);
  const legless = KERNEL.routes.map((route) => route["dst"] === ANYCAST[0] ? { ...route, nexthops: [{}] } : route);
  assertEquals(judgeRoutes({ routes: legless }, EXPECTED), [
    `flock's routes: unicast ${ANYCAST[0]} table main proto 70 metric 20 by 198.18.0.7 dev ${LINK} is missing`,
    `flock's routes: unicast ${ANYCAST[0]} table main proto 70 metric 20 by undefined dev undefined is too much`,
  ]);
  const notReady = { ...EXPECTED, live: [{ ...LIVE, ready: false }] };
  assertEquals(judgeRoutes(KERNEL, notReady).filter((line) => line.includes("flock's")).length, ANYCAST.length);
  const elsewhere = KERNEL.routes.map((route) =>
    route["dst"] === "198.18.4.0/22" ? { ...route, gateway: "192.0.2.1" } : route
  );
  assertEquals(judgeRoutes({ routes: elsewhere }, EXPECTED).map((line) => line.split(" is ")[1]).sort(), [
    "missing",
    "too much",
  ]);
});

Deno.test("judgeEnds() says nothing of a pod whose ends are as they must be", () => {
  assertEquals(ends(), []);
});

Deno.test("judgeEnds() names a host end that is too much, missing, or not as it was made", () => {
  const host = (to: Record<string, unknown>): string[] => ends({ links: changed(KERNEL.links, { name: LINK, to }) });
  assertEquals(ends({ links: [...KERNEL.links, { ifname: "flock0badc0de" }] }), ["links: flock0badc0de is too much"]);
  assertEquals(ends({ links: KERNEL.links.filter(({ ifname }) => ifname !== LINK) })[0], `links: ${LINK} is missing`);
  const altered: [Record<string, unknown>, string][] = [
    [{ mtu: 1500 }, "mtu 9000"],
    [{ address: "02:00:00:00:00:09" }, "address 02:66:6c:6f:63:6b"],
    [{ flags: [] }, "up"],
    [{ "inet6_addr_gen_mode": "eui64" }, "addrgenmode none"],
    [{ ifalias: "x" }, `alias ${ID} eth0 ${LIVE.netns} 4:77:1000 flock`],
  ];
  for (const [to, line] of altered) assert(host(to).includes(`host ends: ${LINK} ${line} is missing`), line);
  assertEquals(host({ master: "br0" }), [`host ends: ${LINK} master br0 is too much`]);
  assertEquals(host({ "link_index": 4 }), [`${LINK} is not the other end of its pod's eth0`]);
  assertEquals(ends({ addresses: [] }), [`addresses of host ends: ${LINK} fe80::1/64 scope link is missing`]);
  const stranger = { dst: "198.18.0.9", dev: "flock0badc0de", lladdr: "02:00:00:00:00:09" };
  assertEquals(ends({ neighbours: [...KERNEL.neighbours, stranger] }), [
    "neighbours: 198.18.0.9 flock0badc0de is too much",
  ]);
});

Deno.test("judgeEnds() names a pod's end that is not as it was made, and a namespace that is another one", () => {
  assertEquals(ends({}, { links: changed(POD.links, { name: "eth0", to: { mtu: 1400 } }) }), [
    `eth0 of pod ${LINK}: eth0 mtu 1400 is too much`,
    `eth0 of pod ${LINK}: eth0 mtu 9000 is missing`,
  ]);
  assertEquals(ends({}, { routes: POD.routes.slice(1) }), [
    `routes of pod ${LINK}: unicast default via 169.254.1.1 dev eth0 table main proto boot scope global is missing`,
  ]);
  assertEquals(ends({}, { neighbours: POD.neighbours.slice(1) }).length, 1);
  assertEquals(ends({}, { addresses: [] }).length, 7);
  assertEquals(ends({}, { links: [...POD.links, { ifname: "eth1" }] }), [`links of pod ${LINK}: eth1 is too much`]);
  assertEquals(ends({}, { netnsId: "4:78:2000" }).length, 2);
});

Deno.test("judgeSysctls() names a sysctl of a host end or of the node that is another, or gone", () => {
  assertEquals(judgeSysctls(KERNEL, EXPECTED), []);
  const name = `ipv4/conf/${LINK}/rp_filter`;
  assertEquals(judgeSysctls({ sysctls: new Map([...KERNEL.sysctls, [name, "2"]]) }, EXPECTED), [
    `sysctls: ${name} = 0 is missing`,
    `sysctls: ${name} = 2 is too much`,
  ]);
  const without = new Map([...KERNEL.sysctls].filter(([each]) => each !== "ipv4/ip_forward"));
  assertEquals(judgeSysctls({ sysctls: without }, EXPECTED), ["sysctls: ipv4/ip_forward = 1 is missing"]);
});

Deno.test("judgeForeign() wants all that is not flock's as it was, beside what flock must add to lo", () => {
  const before: KernelSight = {
    ...KERNEL,
    links: KERNEL.links.slice(0, 2),
    addresses: KERNEL.addresses.slice(0, 1),
    routes: KERNEL.routes.slice(0, 1),
    neighbours: [{ dst: "10.99.0.2", dev: "flockops", lladdr: "02:00:00:00:00:02" }],
    sysctls: new Map([["ipv4/conf/lo/forwarding", "0"], ["ipv6/conf/up0/accept_ra", "1"], [
      "ipv4/conf/up0/rp_filter",
      "2",
    ]]),
  };
  const lo = [{ local: "127.0.0.1", prefixlen: 8 }, { local: "169.254.1.1", prefixlen: 32 }].map((info) => ({
    ...{ ...info, scope: "host", "valid_life_time": 4294967295 },
  }));
  const nextHop = { type: "local", dst: "169.254.1.1", dev: "lo", table: "local", protocol: "kernel", scope: "host" };
  const now: KernelSight = {
    ...KERNEL,
    links: changed(KERNEL.links, { name: "lo", to: { altnames: ["flock-node"] } }),
    addresses: [{ ifname: "lo", "addr_info": lo }],
    routes: [...KERNEL.routes, { ...nextHop, prefsrc: "169.254.1.1" }],
    neighbours: [...KERNEL.neighbours, ...before.neighbours],
    sysctls: new Map([["ipv4/conf/lo/forwarding", "1"], ["ipv6/conf/up0/accept_ra", "2"], [
      "ipv4/conf/up0/rp_filter",
      "2",
    ]]),
  };
  const judge = (sight: KernelSight): string[] => judgeForeign(describeForeign(sight), describeForeign(before));
  assertEquals(judge(now), []);
  const planted: [Partial<KernelSight>, string][] = [
    [{ links: [...now.links, { ifname: "tmp0", mtu: 1, address: "x", flags: ["UP"] }] }, "tmp0 address x is too much"],
    [{ neighbours: KERNEL.neighbours }, "neighbour 10.99.0.2 flockops 02:00:00:00:00:02 is missing"],
    [{ routes: now.routes.slice(1) }, `${describeRoute(KERNEL.routes[0] ?? {})} is missing`],
    [{ rules: [] }, 'rule {"family":4,"priority":0,"src":"all","table":"local"} is missing'],
    [
      { ruleset: '{"nftables":[{"table":{"family":"ip","name":"x"}}]}' },
      'nft table {"family":"ip","name":"x"} is too much',
    ],
    [
      { sysctls: new Map([...now.sysctls, ["ipv4/conf/up0/rp_filter", "0"]]) },
      "ipv4/conf/up0/rp_filter = 0 is too much",
    ],
  ];
  for (const [part, line] of planted) {
    assertEquals(judge({ ...now, ...part })[0], `what is not flock's: ${line}`);
  }
  assertEquals(judge({ ...now, addresses: KERNEL.addresses }), [
    "what is not flock's: lo 169.254.1.1/32 scope host is missing",
  ]);
});

Deno.test("linkLocalOf() writes an address as the kernel does, whatever groups are zero", () => {
  assertEquals(linkLocalOf("02:00:0f:dc:25:cf"), "fe80::fff:fedc:25cf");
  assertEquals(linkLocalOf("de:4f:47:b1:6b:21"), "fe80::dc4f:47ff:feb1:6b21");
});
