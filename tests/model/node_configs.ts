import { InvalidInput } from "../../src/fault/invalid_input.ts";
import { type Address, contains, parseAddress, sizeOf } from "../../src/ip/address.ts";
import type { NodeConfig } from "../../src/nodeconfig/node_config.ts";
import { decodeNodeConfig, type NodeConfigReading } from "../../src/agent/resolve_node_config.ts";

/** The node that all schedules play on. */
export const NODE = "node-a";

const SPECS: readonly Readonly<Record<string, unknown>>[] = [
  { cidr4: ["203.0.113.0/30"], cidr6: ["2001:db8:f::/126"] },
  { cidr4: ["203.0.113.0/29"], cidr6: ["2001:db8:f::/64"] },
  { cidr4: ["198.51.100.0/28"], cidr6: ["2001:db8:f:1::/125"] },
  { cidr4: ["198.51.100.0/26"], cidr6: ["2001:db8:f:1::/122"] },
  { cidr4: ["203.0.113.8/29"], cidr6: ["2001:db8:f:2::/126"], defaults: { ipv6: false, ipv4: true } },
  { cidr4: ["203.0.113.64/30", "203.0.113.72/29"], cidr6: ["2001:db8:f:3::/126", "2001:db8:f:4::/126"] },
  { cidr4: ["not a prefix"] },
];

/** What the API may hold of the node's NodeConfig, one after the other; the last two are an invalid one and none. */
export const READINGS: readonly (NodeConfigReading | undefined)[] = [...SPECS.map(readingOf), undefined];

/** Those of them that can be in force. */
export const CONFIGS: readonly NodeConfig[] = READINGS.flatMap((reading) =>
  reading === undefined || reading.outcome instanceof InvalidInput ? [] : [reading.outcome]
);

function readingOf(spec: Readonly<Record<string, unknown>>, index: number): NodeConfigReading | undefined {
  const peers = [{ address: "192.0.2.1", asn: 65000 }];
  const metadata = { name: NODE, uid: "u1", generation: index + 1, creationTimestamp: "2026-01-01T00:00:00Z" };
  return decodeNodeConfig({ metadata, spec: { ...spec, bgp: { asn: 65101, peers } } });
}

/** Reads an address that must be one; the same text gives the same object. */
export function addressOf(text: string): Address {
  const known = addresses.get(text) ?? parseAddress(text);
  if (known === undefined) throw new Error(`Cannot read ${text}: no address`);
  addresses.set(text, known);
  return known;
}

const addresses = new Map<string, Address>();

/** @returns whether a pod may have the address under this NodeConfig (spec section 4) */
export function isUsable({ cidr6, cidr4 }: NodeConfig, address: Address): boolean {
  const pool = (address.family === 4 ? cidr4 : cidr6).find((prefix) => contains(prefix, address));
  if (pool === undefined) return false;
  const host = address.value - pool.base;
  const isReserved4 = host === 0n || host === 1n || host === sizeOf(pool) - 1n;
  return address.family === 4 ? !isReserved4 : host !== 0n;
}
