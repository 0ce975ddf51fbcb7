import { type Address, parseAddress, parsePrefix, type Prefix } from "../../ip/address.ts";
import type { BirdConfig } from "../bird_config.ts";

/** @returns the address; @throws when a test's author mistyped it */
export function ip(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`Cannot read ${text}: not an address`);
  return address;
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`Cannot read ${text}: not a prefix`);
  return parsed;
}

const PEER4 = { address: ip("192.0.2.1"), asn: 65000, localAsn: 65101, localAddress: ip("192.0.2.10") };
const PEER6 = { address: ip("2001:db8:1::1"), asn: 65000, localAsn: 65101, localAddress: ip("2001:db8:1::a") };

const BFD = { receiveInterval: 300, transmitInterval: 300, multiplier: 3 };

/** A node with both families and one router. */
export const DUAL_STACK: BirdConfig = {
  routerId: ip("192.0.2.10"),
  peers: [PEER6, PEER4],
  aggregates: [prefix("2001:db8:f001::/64"), prefix("203.0.113.0/26")],
  hostRoutes: [],
  anycastRoutes: [],
  refusedImports: ["2001:db8:1::/64", "2001:db8:1::a/128", "192.0.2.0/24", "192.0.2.10/32"].map(prefix),
};

const ofFamily = (family: 4 | 6): BirdConfig => ({
  routerId: DUAL_STACK.routerId,
  peers: DUAL_STACK.peers.filter((peer) => peer.address.family === family),
  aggregates: DUAL_STACK.aggregates.filter((ip) => ip.family === family),
  hostRoutes: [],
  anycastRoutes: [],
  refusedImports: DUAL_STACK.refusedImports.filter((ip) => ip.family === family),
});

/** case -> its model; the text stands in `<case>.conf` */
export const CASES: Readonly<Record<string, BirdConfig>> = {
  "dual_stack": DUAL_STACK,
  "ipv4_only": ofFamily(4),
  "ipv6_only": { ...ofFamily(6), routerId: ip("97.18.5.203") },
  "several_peers": {
    ...DUAL_STACK,
    peers: [
      ...DUAL_STACK.peers,
      { ...PEER4, address: ip("192.0.2.2") },
      { ...PEER4, address: ip("10.9.8.1"), asn: 4294967295, localAddress: ip("10.9.8.2") },
      { ...PEER6, address: ip("2001:db8:1::2"), asn: 65101 },
    ],
  },
  "no_local_address": {
    ...DUAL_STACK,
    peers: DUAL_STACK.peers.map(({ address, asn, localAsn }) => ({ address, asn, localAsn })),
    refusedImports: [],
  },
  "host_routes": {
    ...DUAL_STACK,
    hostRoutes: ["198.51.100.77/32", "2001:db8:aaaa::1/128", "198.51.100.8/32", "198.51.100.77/32"].map(prefix),
  },
  "single_address_aggregate": { ...DUAL_STACK, aggregates: ["2001:db8:f001::1/128", "203.0.113.0/30"].map(prefix) },
  "session_options": {
    ...DUAL_STACK,
    peers: [
      { ...PEER4, holdTime: 9, gracefulRestart: false, password: "a \\ b#'; }" },
      { ...PEER4, address: ip("192.0.2.2"), bfd: { receiveInterval: 100, transmitInterval: 150, multiplier: 3 } },
      { ...PEER4, address: ip("198.51.100.1"), multihop: 3, ttlSecurity: true, bfd: BFD },
      { ...PEER6, extendedNextHop: true, importLimit: 1000, ttlSecurity: true },
    ],
  },
  "route_attributes": {
    ...DUAL_STACK,
    anycastRoutes: ["203.0.113.53/32", "2001:db8:aaaa::53/128"].map(prefix),
    attributes: {
      aggregates: { communities: [[65000, 1], [65535, 65281]], largeCommunities: [[4200000000, 0, 4294967295]] },
      anycast: { communities: [[65000, 2]], largeCommunities: [], med: 0, prepend: 2 },
    },
  },
  "ipv4_over_ipv6": { ...ofFamily(6), peers: [{ ...PEER6, extendedNextHop: true }] },
  "no_peers": { ...DUAL_STACK, peers: [] },
  "nothing": {
    routerId: ip("0.0.0.1"),
    peers: [],
    aggregates: [],
    hostRoutes: [],
    anycastRoutes: [],
    refusedImports: [],
  },
};

/** The text of a case's golden file. */
export function goldenOf(name: string): string {
  return Deno.readTextFileSync(new URL(`./${name}.conf`, import.meta.url));
}
