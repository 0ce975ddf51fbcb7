import { assertEquals } from "@std/assert";
import { type IpEvent, isLoss, parseIpEvent } from "./parse_ip_event.ts";

const MAC = "02:00:00:00:00:01";

const VETH =
  "promiscuity 0  allmulti 0 minmtu 68 maxmtu 65535 \\    veth numtxqueues 2 numrxqueues 2 gso_max_size 65536 gso_max_segs 65535 tso_max_size 524280 tso_max_segs 65535 gro_max_size 65536 ";

/** What iproute2 6.1 really printed. */
const LINES: readonly (readonly [line: string, event: IpEvent | undefined])[] = [
  [
    `[LINK]3: flock0badcafe@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 qdisc noqueue state UP group default \\    link/ether ${MAC} brd ff:ff:ff:ff:ff:ff link-netns x ${VETH}\\    alias c1 eth0 /run/netns/x`,
    {
      ...{ kind: "link", gone: false, index: 3, link: "flock0badcafe", up: true, mtu: 1400, mac: MAC },
      ...{ carrier: true, arp: true, alias: "c1 eth0 /run/netns/x" },
    },
  ],
  [
    `[LINK]2: flock0badcafe@if2: <BROADCAST,MULTICAST,NOARP,UP,LOWER_UP> mtu 1500 qdisc noqueue master br9 state UP group default \\    link/ether ${MAC} brd ff:ff:ff:ff:ff:ff link-netnsid 0 promiscuity 0  allmulti 1 minmtu 68 maxmtu 65535 \\    veth \\    bridge_slave state disabled priority 32 cost 2 \\    alias x master mtu \\`,
    {
      ...{ kind: "link", gone: false, index: 2, link: "flock0badcafe", up: true, mtu: 1500, mac: MAC },
      ...{ carrier: true, master: "br9", arp: false, alias: "x master mtu \\" },
    },
  ],
  [ // a bridge's, about its port
    `[LINK]Deleted 2: flock0badcafe: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master br9 state UP \\    link/ether ${MAC}`,
    undefined,
  ],
  [
    `[LINK]Deleted 3: flock0badcafe@NONE: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default \\    link/ether ${MAC} brd ff:ff:ff:ff:ff:ff ${VETH}`,
    {
      ...{ kind: "link", gone: true, index: 3, link: "flock0badcafe", up: false, mtu: 1500, mac: MAC },
      ...{ carrier: false, arp: true, alias: "" },
    },
  ],
  [
    "[LINK]4: tun0: <POINTOPOINT,NOARP,LOWER_UP> mtu 1420 qdisc noop state DOWN group default \\    link/none ",
    {
      ...{ kind: "link", gone: false, index: 4, link: "tun0", up: false, mtu: 1420, mac: "" },
      ...{ carrier: true, arp: false, alias: "" },
    },
  ],
  [
    "[ADDR]Deleted 3: flock0badcafe    inet6 fe80::1/64 scope link nodad \\       valid_lft forever preferred_lft forever",
    {
      ...{ kind: "address", gone: true, link: "flock0badcafe", address: "fe80::1", length: 64 },
      words: ["scope", "link", "nodad", "\\", "valid_lft", "forever", "preferred_lft", "forever"],
    },
  ],
  [
    "[ADDR]3: up0    inet 10.0.0.1 peer 10.0.0.2/32 scope global up0",
    { kind: "address", gone: false, link: "up0", address: "10.0.0.1", length: 32, words: ["scope", "global", "up0"] },
  ],
  [
    "[ROUTE]Deleted unicast 10.0.0.7 dev flock0badcafe table main proto 70 scope link metric 20 ",
    {
      ...{ kind: "route", gone: true, family: 4, type: "unicast", destination: "10.0.0.7" },
      ...{ link: "flock0badcafe", protocol: "70", metric: "20", details: ["scope link"] },
    },
  ],
  [
    "[ROUTE]unicast 10.0.0.7 dev flock0badcafe table main proto 70 scope link metric 20 mtu lock 600 ",
    {
      ...{ kind: "route", gone: false, family: 4, type: "unicast", destination: "10.0.0.7" },
      ...{ link: "flock0badcafe", protocol: "70", metric: "20", details: ["scope link", "mtu", "lock", "600"] },
    },
  ],
  [
    "[ROUTE]unicast 2001:db8::7 via fe80::99 dev flock0badcafe table main proto 70 scope global metric 20 linkdown pref high",
    {
      ...{ kind: "route", gone: false, family: 6, type: "unicast", destination: "2001:db8::7" },
      ...{ link: "flock0badcafe", protocol: "70", metric: "20", details: ["pref high", "via", "fe80::99", "linkdown"] },
    },
  ],
  [
    "[ROUTE]unreachable 10.0.0.7 table main proto boot scope global metric 20 ",
    {
      ...{ kind: "route", gone: false, family: 4, type: "unreachable", destination: "10.0.0.7" },
      ...{ protocol: "boot", metric: "20", details: [] },
    },
  ],
  [
    "[ROUTE]Deleted blackhole 2001:db8:f::/64 dev lo table main proto 70 scope global metric 20 pref medium",
    {
      ...{ kind: "route", gone: true, family: 6, type: "blackhole", destination: "2001:db8:f::/64" },
      ...{ link: "lo", protocol: "70", metric: "20", details: [] },
    },
  ],
  [
    "[ROUTE]local 192.0.2.5 dev up0 table local proto kernel scope host src 192.0.2.5 ",
    {
      ...{ kind: "route", gone: false, family: 4, type: "local", destination: "192.0.2.5" },
      ...{ link: "up0", protocol: "kernel", table: "local", details: ["scope host", "src", "192.0.2.5"] },
    },
  ],
  [
    "[ROUTE]default dev up0 metric 77 pref medium",
    {
      ...{ kind: "route", gone: false, family: 6, type: "unicast", destination: "default" },
      ...{ link: "up0", metric: "77", details: [] },
    },
  ],
  [
    "[NEIGH]10.0.0.7 dev flock0badcafe lladdr 02:00:00:00:00:01 PERMANENT ",
    { kind: "neighbor", gone: false, link: "flock0badcafe", address: "10.0.0.7", mac: MAC, permanent: true },
  ],
  [
    "[NEIGH]Deleted 10.0.0.7 dev flock0badcafe FAILED ",
    { kind: "neighbor", gone: true, link: "flock0badcafe", address: "10.0.0.7", mac: "", permanent: false },
  ],
  [
    "[ROUTE]unicast 192.0.2.53 nhid 9 via 10.0.0.1 dev flock0badcafe table main proto 70 scope global metric 20 onlink ",
    {
      ...{ kind: "route", gone: false, family: 4, type: "unicast", destination: "192.0.2.53", link: "flock0badcafe" },
      ...{ protocol: "70", metric: "20", details: ["nhid", "9", "via", "10.0.0.1", "onlink"] },
    },
  ],
  [ // what `-o` leaves on a line of its own
    "\tnh_info id 9 group 1/2 type resilient buckets 256 idle_timer 4 unbalanced_timer 8 unbalanced_time 0 scope global proto 70 \\",
    undefined,
  ],
  [
    "[NEXTHOP]id 7 via 192.0.2.1 dev up0 scope link proto 70 onlink ",
    {
      ...{ kind: "nexthop", gone: false, id: 7 },
      words: ["via", "192.0.2.1", "dev", "up0", "scope", "link", "proto", "70", "onlink"],
    },
  ],
  [
    "[NEXTHOP]Deleted id 9 group 1,3/2 scope global proto 70 ",
    { kind: "nexthop", gone: true, id: 9, words: ["group", "1,3/2", "scope", "global", "proto", "70"] },
  ],
  ["[NEXTHOPBUCKET]id 9 index 3 idle_time 0 nhid 2", undefined],
  ["[NEXTHOP]", undefined],
  ["", undefined],
  ["[LINK]", undefined],
  ["[ADDR]3: up0", undefined],
  ["[NEIGH]", undefined],
];

Deno.test("parseIpEvent() reads what ip monitor prints, and takes nothing else", () => {
  for (const [line, event] of LINES) assertEquals(parseIpEvent(line), event, line);
});

Deno.test("isLoss() knows the line that says that messages were lost", () => {
  assertEquals(isLoss("netlink receive error No buffer space available (105)"), true);
  assertEquals(LINES.some(([line]) => isLoss(line)), false);
});
