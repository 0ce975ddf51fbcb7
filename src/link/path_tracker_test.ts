import { assertEquals } from "@std/assert";
import { parseIpEvent } from "../exec/parse_ip_event.ts";
import { parseAddress } from "../ip/address.ts";
import type { Attachment } from "./attachment_driver.ts";
import { HOST_MAC } from "./host_mac.ts";
import { PathTracker } from "./path_tracker.ts";

const LINK = "flock0badcafe";
const ALIAS = "c1 eth0 /run/netns/c1";
const POD_MAC = "02:00:00:00:00:09";
const POD: Attachment = {
  ...{ containerId: "c1", ifname: "eth0", netns: "/run/netns/c1", hostLink: LINK, podMac: POD_MAC, mtu: 1500 },
  addresses: ["2001:db8::7", "10.0.0.7"].flatMap((text) => parseAddress(text) ?? []),
};

const link = (flags: string, { mtu = 1500, mac = HOST_MAC, name = LINK, index = 3, alias = ALIAS } = {}): string =>
  `[LINK]${index}: ${name}@if2: <BROADCAST,MULTICAST${flags}> mtu ${mtu} qdisc noqueue state UP \\    link/ether ${mac} brd ff:ff:ff:ff:ff:ff${
    alias && ` \\    alias ${alias}`
  }`;
const NEW = link("", { alias: "" });
const UP = link(",UP,LOWER_UP");
const DOWN = link("");
const GONE = DOWN.replace("]", "]Deleted ");
const ADDRESS =
  `[ADDR]3: ${LINK}    inet6 fe80::1/64 scope link nodad \\       valid_lft forever preferred_lft forever`;
const ROUTES = [
  `[ROUTE]unicast 2001:db8::7 dev ${LINK} table main proto 70 scope global metric 20 pref medium`,
  `[ROUTE]unicast 10.0.0.7 dev ${LINK} table main proto 70 scope link metric 20 `,
];
const NEIGHBORS = ["2001:db8::7", "10.0.0.7"].map((ip) => `[NEIGH]${ip} dev ${LINK} lladdr ${POD_MAC} PERMANENT `);
const MADE = [NEW, UP, ADDRESS, ...ROUTES, ...NEIGHBORS];
const without = (line: string): string => line.replace("]", "]Deleted ");

/** @returns whether the pod's path counts as broken after these lines */
function isBroken(lines: readonly string[], tracker = new PathTracker()): boolean {
  for (const line of lines) {
    const event = parseIpEvent(line);
    if (event !== undefined) tracker.hear(event);
  }
  return tracker.broken([POD]).length > 0;
}

Deno.test("PathTracker finds nothing wrong with a path as our own ADD makes it, nor with one that nothing is heard of", () => {
  assertEquals(isBroken([]), false);
  assertEquals(isBroken(MADE), false);
  assertEquals(isBroken([...MADE, ...MADE.slice(1)]), false);
  assertEquals(isBroken([link(",UP,LOWER_UP").replace("UP,LOWER_UP", "NO-CARRIER,UP")]), false);
  assertEquals(isBroken(ROUTES.map((line) => line.replace("metric 20", "metric 20 linkdown"))), false);
});

/** A word of a route -> what may be there in its place. */
const ALTERED: Record<string, string> = {
  "proto 70": "proto static",
  "scope link": "scope global",
  "metric 20": "metric 20 mtu lock 600",
  "dev": "via 10.9.9.9 dev",
};

Deno.test("PathTracker notices links, addresses, routes and neighbours that are removed or altered (T-REL-28)", () => {
  const damages: [title: string, ...lines: string[]][] = [
    ["down", DOWN],
    ["gone", GONE],
    ["another MTU", link(",UP", { mtu: 1400 })],
    ["another MAC", link(",UP", { mac: "02:00:00:00:00:01" })],
    ["without its alias", link(",UP", { alias: "" })],
    ["another's alias", link(",UP", { alias: "c2 eth0 /run/netns/c2" })],
    ["a port of a bridge", UP.replace("noqueue", "noqueue master br9")],
    ["without ARP", link(",NOARP,UP")],
    ["another name", UP, link(",UP", { name: "eth7" })],
    ["an address less", without(ADDRESS)],
    ["an address that ends", ADDRESS.replace("valid_lft forever", "valid_lft 20sec")],
    ["a deprecated address", ADDRESS.replace("preferred_lft forever", "preferred_lft 0sec")],
    ...[...ROUTES, ...NEIGHBORS].map((line): [string, string] => [`without ${line}`, without(line)]),
    ["a route taken over", "[ROUTE]unicast 10.0.0.7 dev up0 table main proto boot scope link metric 20 "],
    ["a route taken over by none", "[ROUTE]unreachable 10.0.0.7 table main proto 70 scope global metric 20 "],
    ...["proto 70", "scope link", "metric 20", "dev"].map((word): [string, string] => [
      `a route altered at ${word}`,
      ROUTES[1]?.replace(word, ALTERED[word] ?? "") ?? "",
    ]),
    ["another preference", ROUTES[0]?.replace("medium", "high") ?? ""],
    ["a neighbour of another MAC", NEIGHBORS[0]?.replace(POD_MAC, "02:00:00:00:00:99") ?? ""],
    ["a neighbour that is not permanent", NEIGHBORS[0]?.replace("PERMANENT", "REACHABLE") ?? ""],
  ];
  for (const [title, ...lines] of damages) {
    assertEquals(isBroken(lines), true, title);
    assertEquals(isBroken([...MADE, ...lines]), true, title);
    assertEquals(isBroken([...lines, ...MADE]), false, `${title}, and made again`);
  }
});

Deno.test("PathTracker misses the routes that an end lost while it was down, of which the kernel says nothing", () => {
  assertEquals(isBroken([...MADE, DOWN, UP]), true);
  assertEquals(isBroken([...MADE, DOWN, UP, ADDRESS, ...ROUTES, ...NEIGHBORS]), false);
});

Deno.test("PathTracker minds neither others' links nor others' routes to the same address", () => {
  const foreign = [
    "[ROUTE]10.0.0.7 dev up0 proto bird metric 32 ",
    "[ROUTE]Deleted 10.0.0.7 dev up0 proto bird metric 32 ",
    "[ROUTE]Deleted 10.0.0.7 dev up0 table 100 metric 20 ",
    "[NEIGH]Deleted 10.0.0.7 dev up0 lladdr 02:00:00:00:00:01 STALE ",
    "[LINK]Deleted 9: up0: <BROADCAST> mtu 1500 qdisc noop ",
  ];
  assertEquals(isBroken(foreign), false);
});

Deno.test("PathTracker takes no bridge's word about its ports for the links'", () => {
  const ofBridge = `[LINK]Deleted 3: ${LINK}: <BROADCAST,UP> mtu 1500 master br9 state UP \\    link/ether ${HOST_MAC}`;
  assertEquals(isBroken([...MADE, ofBridge]), false);
});

Deno.test("PathTracker forgets what it was told before the kernel is looked at, and of paths that are no more", () => {
  const tracker = new PathTracker();
  assertEquals(isBroken([GONE], tracker), true);
  tracker.reset();
  assertEquals(isBroken([], tracker), false);
  assertEquals(isBroken([GONE], tracker), true);
  assertEquals(tracker.broken([]), []);
  assertEquals(isBroken([], tracker), false);
});
