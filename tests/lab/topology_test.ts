import { assertEquals } from "@std/assert";
import { overlaps, parsePrefix, type Prefix } from "../../src/ip/address.ts";
import { parseNodeConfig } from "../../src/nodeconfig/parse_node_config.ts";
import { MAX_NODES, nodeConfigOf, nodeSpec, renderUplink } from "./topology.ts";

const specs = Array.from({ length: MAX_NODES }, (_, index) => nodeSpec(index));

Deno.test("nodes have prefixes, addresses and AS numbers of their own", () => {
  const prefixes = specs.flatMap(({ cidr4, cidr6 }) => [cidr4, cidr6]).map(parsePrefix)
    .filter((prefix): prefix is Prefix => prefix !== undefined);
  assertEquals(prefixes.length, 2 * MAX_NODES);
  const clashes = prefixes.filter((a) => prefixes.some((b) => a !== b && overlaps(a, b)));
  assertEquals(clashes, []);
  const own = specs.flatMap(({ name, asn, addresses }) => [name, asn, addresses[4], addresses[6]]);
  assertEquals(new Set(own).size, 4 * MAX_NODES);
});

for (const families of [[4], [6], [4, 6]] as const) {
  Deno.test(`nodeConfigOf() of a node with IPv${families.join(" and IPv")} is valid and names only its families`, () => {
    const config = parseNodeConfig(withServerFields(nodeConfigOf(nodeSpec(1, families))));
    assertEquals(config.cidr4.length, families.some((family) => family === 4) ? 1 : 0);
    assertEquals(config.cidr6.length, families.some((family) => family === 6) ? 1 : 0);
    assertEquals(config.bgp?.peers.length, families.length);
  });
}

Deno.test("renderUplink() sets nothing of a family that the node does not have", () => {
  assertEquals(renderUplink(nodeSpec(0, [4])).includes("2001:db8"), false);
  assertEquals(renderUplink(nodeSpec(0, [6])).includes("192.0.2"), false);
});

function withServerFields(object: Record<string, unknown>): Record<string, unknown> {
  const metadata = { name: "node-b", uid: "u", generation: 1, creationTimestamp: "2026-01-01T00:00:00Z" };
  return { ...object, metadata };
}
