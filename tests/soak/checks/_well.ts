/** A node with one pod on which all is as it must be, for tests that plant something. */
import { hostLinkName, podMacOf } from "../../../src/hash/container_hash.ts";
import type { PodSight } from "./ends.ts";
import type { Expectation, LiveContainer } from "./expectation.ts";
import type { KernelSight, Row } from "./kernel.ts";

export const ID = "a".repeat(64);
export const LINK = hostLinkName(ID);
const MAC = podMacOf(ID);
const [FOUR, SIX] = ["198.18.0.7", "2001:db8:f001::7"];

/** It serves, and another node's pod as well. */
export const ANYCAST = ["198.18.255.1", "2001:db8:a::1"] as const;
const SERVICE = { owner: "default/pod-3", anycast: ANYCAST, ready: true };

export const LIVE: LiveContainer = {
  id: ID,
  uid: "uid-1",
  netns: "/var/run/netns/cni-1",
  addresses: [FOUR, SIX],
  ...SERVICE,
};

export const EXPECTED: Expectation = {
  live: [LIVE],
  owed: new Set(),
  prefixes: ["198.18.0.0/22", "2001:db8:f001::/64"],
  others: new Map([["198.18.4.0/22", "192.0.2.11"], ["2001:db8:f002::/64", "2001:db8:1::b"]]),
  elsewhere: new Map([[ANYCAST[0], ["192.0.2.11"]], ["198.18.255.3", ["192.0.2.11"]]]),
};

const FOREVER = { "valid_life_time": 4294967295, "preferred_life_time": 4294967295 };
const UP = { mtu: 9000, flags: ["BROADCAST", "UP"], "inet6_addr_gen_mode": "none" };

function unicast(dst: string, more: Row): Row {
  return { type: "unicast", dst, table: "main", scope: "global", ...more };
}

export const KERNEL: KernelSight = {
  links: [
    {
      ifname: "lo",
      ifindex: 1,
      mtu: 65536,
      address: "00:00:00:00:00:00",
      flags: ["UP"],
      "inet6_addr_gen_mode": "eui64",
    },
    { ifname: "up0", ifindex: 2, address: "02:00:00:00:00:01", ...UP },
    {
      ...{ ifname: LINK, ifindex: 3, "link_index": 9, address: "02:66:6c:6f:63:6b", ...UP },
      ifalias: `${ID} eth0 ${LIVE.netns} 4:77:1000 flock`,
    },
  ],
  addresses: [
    { ifname: "lo", "addr_info": [{ local: "127.0.0.1", prefixlen: 8, scope: "host", ...FOREVER }] },
    { ifname: LINK, "addr_info": [{ local: "fe80::1", prefixlen: 64, scope: "link", ...FOREVER }] },
  ],
  routes: [
    unicast("default", { gateway: "192.0.2.1", dev: "up0", protocol: "boot" }),
    { type: "blackhole", dst: "198.18.0.0/22", table: "main", protocol: "70", scope: "global", metric: 20 },
    {
      type: "blackhole",
      dst: "2001:db8:f001::/64",
      dev: "lo",
      table: "main",
      protocol: "70",
      scope: "global",
      metric: 20,
    },
    unicast(FOUR, { dev: LINK, protocol: "70", scope: "link", metric: 20 }),
    unicast(SIX, { dev: LINK, protocol: "70", metric: 20 }),
    ...[[ANYCAST[0], FOUR], [ANYCAST[1], SIX]].map(([dst = "", gateway]) =>
      unicast(dst, { nhid: 7, protocol: "70", metric: 20, nexthops: [{ gateway, dev: LINK }, { gateway, dev: LINK }] })
    ),
    ...[["198.18.255.3", "192.0.2.11"], ["198.18.4.0/22", "192.0.2.11"], ["198.51.100.0/24", "192.0.2.1"]].map((
      [dst = "", gateway],
    ) => unicast(dst, { gateway, dev: "up0", protocol: "bird", metric: 32 })),
    ...[["2001:db8:f002::/64", "2001:db8:1::b"], ["2001:db8:c::/64", "2001:db8:1::1"]].map(([dst = "", gateway]) =>
      unicast(dst, { gateway, dev: "up0", protocol: "bird", metric: 32 })
    ),
  ],
  rules: [{ family: 4, priority: 0, src: "all", table: "local" }],
  neighbours: [{ dst: FOUR, dev: LINK, lladdr: MAC }, { dst: SIX, dev: LINK, lladdr: MAC }],
  ruleset: '{"nftables": []}',
  sysctls: new Map([
    ...["ipv4/ip_forward", "ipv4/fib_multipath_hash_policy", "ipv6/fib_multipath_hash_policy"].map(
      (name) => [name, "1"] as const,
    ),
    ["ipv6/conf/all/forwarding", "1"],
    ["ipv4/conf/lo/forwarding", "1"],
    ...Object.entries({ forwarding: 1, accept_redirects: 0, send_redirects: 0, rp_filter: 0, proxy_arp: 0 })
      .map(([name, value]) => [`ipv4/conf/${LINK}/${name}`, `${value}`] as const),
    [`ipv4/conf/${LINK}/route_localnet`, "0"],
    ...Object.entries({ disable_ipv6: 0, forwarding: 1, accept_ra: 0, accept_redirects: 0, autoconf: 0 })
      .map(([name, value]) => [`ipv6/conf/${LINK}/${name}`, `${value}`] as const),
  ]),
};

const HOST_MAC = "02:66:6c:6f:63:6b";

export const POD: PodSight = {
  netnsId: "4:77:1000",
  links: [
    { ifname: "lo", ifindex: 1 },
    { ifname: "eth0", ifindex: 9, "link_index": 3, address: MAC, ...UP },
  ],
  addresses: [{
    ifname: "lo",
    "addr_info": [
      ...[["127.0.0.1", 8], ["::1", 128]].map(([local, prefixlen]) => ({
        local,
        prefixlen,
        scope: "host",
        ...FOREVER,
      })),
      { local: ANYCAST[0], prefixlen: 32, scope: "global", ...FOREVER },
      { local: ANYCAST[1], prefixlen: 128, scope: "global", ...FOREVER },
    ],
  }, {
    ifname: "eth0",
    "addr_info": [
      { local: FOUR, prefixlen: 32, scope: "global", ...FOREVER },
      { local: SIX, prefixlen: 128, scope: "global", ...FOREVER },
      { local: linkLocal(MAC), prefixlen: 64, scope: "link", ...FOREVER },
    ],
  }],
  routes: [
    unicast("default", { gateway: "169.254.1.1", dev: "eth0", protocol: "boot" }),
    unicast("default", { gateway: "fe80::1", dev: "eth0", protocol: "boot", metric: 1024 }),
    { type: "local", dst: FOUR, dev: "eth0", table: "local", protocol: "kernel" },
  ],
  neighbours: [
    { dst: "169.254.1.1", dev: "eth0", lladdr: HOST_MAC },
    { dst: "fe80::1", dev: "eth0", lladdr: HOST_MAC },
  ],
};

/** @returns the rows, those that `is` picks changed */
export function changed(rows: readonly Row[], { name, to }: { name: string; to: Row }): Row[] {
  return rows.map((row) => row["ifname"] === name ? { ...row, ...to } : row);
}

/** EUI-64, by text: the second digit's lowest bit but one is turned, and ff:fe goes in the middle. */
function linkLocal(mac: string): string {
  const [a = "", b = "", c = "", d = "", e = "", f = ""] = mac.split(":");
  const first = (parseInt(a, 16) ^ 2).toString(16).padStart(2, "0");
  const group = (text: string): string => parseInt(text, 16).toString(16);
  return `fe80::${group(first + b)}:${group(`${c}ff`)}:${group(`fe${d}`)}:${group(e + f)}`;
}
