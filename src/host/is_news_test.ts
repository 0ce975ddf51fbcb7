import { assertEquals } from "@std/assert";
import { parseIpEvent } from "../exec/parse_ip_event.ts";
import { parseAddress, parsePrefix } from "../ip/address.ts";
import type { HostNetwork } from "./host_driver.ts";
import { isNews, type KnownNode } from "./is_news.ts";

function address(text: string, length: number, permanent: boolean): HostNetwork["addresses"][number] {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`Cannot parse ${text}: not an address`);
  return { address: parsed, length, link: "up0", permanent, scope: "global" };
}

const NETWORK: HostNetwork = {
  addresses: [address("192.0.2.5", 27, true), address("2001:db8::6", 64, false)],
  defaultRoutes: [{ family: 6, link: "up0", fromRouterAdvertisement: true }],
  mtus: new Map([["up0", 1500], ["lo", 65536], ["other", 1500]]),
};

const KNOWN: KnownNode = {
  network: NETWORK,
  blackholes: ["10.9.0.0/24", "10.9.1.1/32", "2001:db8:f::/64"].flatMap((text) => parsePrefix(text) ?? []),
};

const FOREVER = "\\       valid_lft forever preferred_lft forever";
const NEWS = [
  `[ADDR]3: up0    inet 192.0.2.6/27 scope global up0${FOREVER}`,
  `[ADDR]Deleted 3: up0    inet 192.0.2.5/27 scope global up0${FOREVER}`,
  `[ADDR]3: up0    inet6 2001:db8::6/64 scope global ${FOREVER}`,
  `[ADDR]Deleted 1: lo    inet 169.254.1.1/32 scope host lo${FOREVER}`,
  "[ROUTE]Deleted default via fe80::99 dev up0 proto ra metric 1024 expires 1799sec pref medium",
  "[ROUTE]default via 192.0.2.1 dev up0 ",
  "[ROUTE]default via 2001:db8::1 dev up0 metric 1024 pref medium",
  "[ROUTE]default \\\tnexthop via 192.0.2.1 dev up0 weight 1 \\\tnexthop via 192.0.2.2 dev up0 weight 1 ",
  "[ROUTE]Deleted blackhole 10.9.0.0/24 proto 70 metric 20 ",
  "[ROUTE]unreachable 10.9.0.0/24 metric 20 ",
  "[ROUTE]blackhole 10.9.0.0/24 proto 71 metric 19 ",
  "[ROUTE]10.9.1.1 via 192.0.2.1 dev up0 metric 20 ",
  "[ROUTE]unreachable 2001:db8:f::/64 dev lo metric 20 pref medium",
  "[LINK]3: up0@up1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 9000 qdisc noqueue ",
  "[LINK]3: up0@up1: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue ",
  "[LINK]Deleted 4: other: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue ",
];
const OLD = [
  `[ADDR]3: up0    inet 192.0.2.5/27 scope global up0${FOREVER}`,
  "[ADDR]3: up0    inet6 2001:db8::6/64 scope global dynamic mngtmpaddr \\       valid_lft 86400sec preferred_lft 14400sec",
  `[ADDR]1: lo    inet 169.254.1.1/32 scope host lo${FOREVER}`,
  `[ADDR]Deleted 9: flock0badcafe    inet6 fe80::1/64 scope link ${FOREVER}`,
  "[ROUTE]default via fe80::99 dev up0 proto ra metric 1024 expires 1799sec pref medium",
  "[ROUTE]default dev up0 table 100 ",
  "[ROUTE]10.1.0.0/16 via 192.0.2.1 dev up0 proto bird metric 32 ",
  "[ROUTE]10.9.0.0/24 via 192.0.2.1 dev up0 proto bird metric 32 ",
  "[ROUTE]unreachable 10.9.0.0/24 ",
  "[ROUTE]unreachable 10.9.0.0/24 table 100 metric 20 ",
  "[ROUTE]unreachable 10.9.2.0/24 metric 20 ",
  "[ROUTE]Deleted unreachable 10.9.0.0/24 metric 20 ",
  "[ROUTE]blackhole 10.9.0.0/24 proto 70 metric 20 ",
  "[ROUTE]Deleted blackhole 10.9.0.0/24 proto 71 metric 20 ",
  "[LINK]3: up0@up1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue ",
  "[LINK]4: other: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue ",
  "[LINK]5: cali1: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue ",
  "[LINK]Deleted 9: flock0badcafe@if2: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue ",
  "[NEIGH]192.0.2.1 dev up0 lladdr 02:00:00:00:00:01 REACHABLE ",
];

Deno.test("isNews() finds what the last reading of the node's network did not have, or has no more", () => {
  for (const line of NEWS) {
    const event = parseIpEvent(line);
    assertEquals(event && isNews(event, KNOWN), true, line);
  }
});

Deno.test("isNews() finds none in what is known, nor in pods' and others' business", () => {
  for (const line of OLD) {
    const event = parseIpEvent(line);
    assertEquals(event && isNews(event, KNOWN), false, line);
  }
});
