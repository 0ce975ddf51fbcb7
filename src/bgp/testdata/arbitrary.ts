/** Random input for property tests: models as typed code could hand them over, and NodeConfigs as an API server could. */
import fc from "fast-check";
import { type Address, addressOf, bitsOf, type Family, hostPrefix, type Prefix, prefixOf } from "../../ip/address.ts";
import type { BirdConfig } from "../bird_config.ts";

const family = fc.constantFrom<Family>(4, 6);
const HOSTILE_TEXT = [
  "",
  "; }",
  "\n",
  '"',
  "#",
  '1.2.3.4; include "/etc/passwd";',
  "up",
  "\u2028",
  "fe80::1%eth0",
  "010.0.0.1",
];

/** An address with a text that may lie. */
const address: fc.Arbitrary<Address> = fc.tuple(
  family,
  fc.bigInt(0n, (1n << 128n) - 1n),
  fc.constantFrom(...HOSTILE_TEXT, undefined),
)
  .map(([family, bits, lie]) => {
    const honest = addressOf(family, bits & ((1n << BigInt(bitsOf(family))) - 1n));
    return lie === undefined ? honest : { ...honest, text: lie };
  });

const prefix: fc.Arbitrary<Prefix> = fc.tuple(address, fc.nat(128), fc.constantFrom(...HOSTILE_TEXT, undefined))
  .map(([address, length, lie]) => {
    const honest = prefixOf(address, length % (bitsOf(address.family) + 1));
    return lie === undefined ? honest : { ...honest, text: lie };
  });

/** One value in eight is none that the type promises. */
const asn = fc.oneof({ weight: 7, arbitrary: fc.integer({ min: 1, max: 4294967295 }) }, {
  weight: 1,
  arbitrary: fc.constantFrom(0, -1, 1.5, NaN, Infinity, 2 ** 32, 23456),
});

const peer = fc.record({ address, asn, localAsn: asn, localAddress: address }, {
  requiredKeys: ["address", "asn", "localAsn"],
});

/** Models of every kind, most of them valid, some with what no type can exclude. */
export const birdConfigs: fc.Arbitrary<BirdConfig> = fc.record({
  routerId: fc.oneof(address, fc.integer({ min: 1, max: 0xffffffff }).map((id) => addressOf(4, BigInt(id)))),
  peers: fc.array(peer, { maxLength: 3 }),
  aggregates: fc.array(prefix, { maxLength: 3 }),
  hostRoutes: fc.array(address.map(hostPrefix), { maxLength: 3 }),
  refusedImports: fc.array(prefix, { maxLength: 3 }),
});

const text = fc.oneof(fc.constantFrom(...HOSTILE_TEXT), fc.string(), fc.ipV4(), fc.ipV6());
const cidr = (valid: string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...valid) }, { weight: 1, arbitrary: text });
const peerAddress = cidr(["192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:DB8:0::2"]);
const anyAsn = fc.oneof({ weight: 12, arbitrary: fc.integer({ min: 1, max: 4294967295 }) }, {
  weight: 1,
  arbitrary: fc.jsonValue(),
});

/** NodeConfig objects, about half of them valid. */
export const nodeConfigs: fc.Arbitrary<unknown> = fc.record({
  apiVersion: fc.constant("flock.fritzlab.net/v1alpha1"),
  kind: fc.constant("NodeConfig"),
  metadata: fc.record({
    name: fc.constantFrom("node-a", "node-b.example"),
    uid: fc.constant("6f7d4c3e-0000-4000-8000-000000000001"),
    generation: fc.nat(9).map((n) => n + 1),
    creationTimestamp: fc.constant("2026-11-21T00:00:00Z"),
  }),
  spec: fc.record({
    cidr6: fc.uniqueArray(cidr(["2001:db8:f001::/64", "2001:db8:F002:0::/80"]), { maxLength: 2 }),
    cidr4: fc.uniqueArray(cidr(["203.0.113.0/26", "198.51.100.0/30", "10.1.0.0/16"]), { minLength: 1, maxLength: 3 }),
    bgp: fc.record({
      asn: anyAsn,
      routerId: fc.oneof({ weight: 9, arbitrary: fc.constantFrom("192.0.2.9", "0.0.0.1") }, {
        weight: 1,
        arbitrary: text,
      }),
      peers: fc.uniqueArray(fc.record({ address: peerAddress, asn: anyAsn }), { maxLength: 3 }),
    }, { requiredKeys: ["asn", "peers"] }),
  }, { requiredKeys: ["cidr4"] }),
});
