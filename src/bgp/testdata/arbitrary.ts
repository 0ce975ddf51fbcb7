/** Random input for property tests: models as typed code could hand them over, NodeConfigs as an API server could, a node's network. */
import fc from "fast-check";
import { type Address, addressOf, bitsOf, type Family, hostPrefix, type Prefix, prefixOf } from "../../ip/address.ts";
import type { BirdConfig, BirdPeer } from "../bird_config.ts";
import type { NodeAddress } from "../choose_local_address.ts";
import { ip } from "./cases.ts";

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
const lie = fc.constantFrom(...HOSTILE_TEXT, undefined);

/** One value in so many is none that belongs there. */
function rarely<T>(oneIn: number, { odd, usual }: { odd: fc.Arbitrary<T>; usual: fc.Arbitrary<T> }): fc.Arbitrary<T> {
  return fc.oneof({ weight: oneIn - 1, arbitrary: usual }, { weight: 1, arbitrary: odd });
}

/** An address whose text may lie. */
const fittingAddress: fc.Arbitrary<Address> = fc.tuple(family, fc.bigInt(0n, (1n << 128n) - 1n), lie)
  .map(([family, bits, lie]) => {
    const honest = addressOf(family, bits & ((1n << BigInt(bitsOf(family))) - 1n));
    return lie === undefined ? honest : { ...honest, text: lie };
  });

const address = rarely<Address>(40, {
  usual: fittingAddress,
  odd: fc.record({ family, value: fc.constantFrom(-1n, 1n << 32n, 1n << 128n), text: fc.constant("192.0.2.1") }),
});

/** A prefix whose text may lie. */
const fittingPrefix: fc.Arbitrary<Prefix> = fc.tuple(fittingAddress, fc.nat(128), lie)
  .map(([address, length, lie]) => {
    const honest = prefixOf(address, length % (bitsOf(address.family) + 1));
    return lie === undefined ? honest : { ...honest, text: lie };
  });

const prefix = rarely<Prefix>(40, {
  usual: fittingPrefix,
  odd: fc.record({
    family,
    base: fc.constantFrom(-1n, 0n, 1n, 1n << 32n, 1n << 128n),
    length: fc.constantFrom(-1, 0, 1.5, 33, 129, NaN, Infinity),
    text: fc.constant("192.0.2.0/24"),
  }),
});

const asn = rarely(20, {
  usual: fc.integer({ min: 1, max: 4294967295 }),
  odd: fc.constantFrom(0, -1, 1.5, NaN, Infinity, 2 ** 32, 23456),
});

/** A number within the bounds, now and then one that is none of a session's. */
const within = (min: number, max: number): fc.Arbitrary<number> =>
  rarely(300, { usual: fc.integer({ min, max }), odd: fc.constantFrom(0, -1, 1.5, NaN, Infinity, 2 ** 33) });

const sessionOptions = {
  holdTime: within(3, 65535),
  bfd: fc.record({
    receiveInterval: within(10, 60_000),
    transmitInterval: within(10, 60_000),
    multiplier: within(2, 255),
  }),
  multihop: within(2, 255),
  ttlSecurity: fc.constant(true as const),
  gracefulRestart: fc.constant(false as const),
  extendedNextHop: fc.constant(true as const),
  importLimit: within(1, 10_000_000),
};

const password = rarely(60, {
  usual: fc.stringMatching(/^[ !#-~]{1,80}$/),
  odd: fc.oneof(fc.constantFrom(...HOSTILE_TEXT), fc.string({ unit: "binary", maxLength: 90 })),
});

const peer = fc.record({ address, asn, localAsn: asn, localAddress: address, password, ...sessionOptions }, {
  requiredKeys: ["address", "asn", "localAsn"],
}).map(fittingOptions);

/** Most often: what goes with nothing else of the peer would leave few models to judge. */
function fittingOptions({ extendedNextHop, bfd, localAddress, ...peer }: BirdPeer): BirdPeer {
  const isFitting = localAddress?.family === peer.address.family || (localAddress?.value ?? 1n) % 8n === 0n;
  const canBfd = peer.multihop === undefined || isFitting;
  return {
    ...peer,
    ...(localAddress && isFitting && { localAddress }),
    ...(bfd && canBfd && { bfd }),
    ...(extendedNextHop && peer.address.family === 6 && { extendedNextHop }),
  };
}

const listOf = (parts: number, max: number): fc.Arbitrary<number[][]> =>
  fc.array(fc.array(within(0, max), { minLength: parts, maxLength: parts }), { maxLength: 3 });
const routeAttributes = fc.record({ communities: listOf(2, 65535), largeCommunities: listOf(3, 4294967295) });
const anycastAttributes = fc.record(
  {
    communities: listOf(2, 65535),
    largeCommunities: listOf(3, 4294967295),
    med: within(0, 4294967295),
    prepend: within(0, 10),
  },
  { requiredKeys: ["communities", "largeCommunities"] },
);

/** Models of every kind: some as they should be, some with what no type can exclude. */
export const birdConfigs: fc.Arbitrary<BirdConfig> = fc.record({
  routerId: rarely(10, {
    usual: fc.integer({ min: 1, max: 0xffffffff }).map((id) => addressOf(4, BigInt(id))),
    odd: address,
  }),
  peers: fc.array(peer, { maxLength: 3 }),
  aggregates: fc.array(prefix, { maxLength: 3 }),
  hostRoutes: fc.array(address.map(hostPrefixOf), { maxLength: 3 }),
  anycastRoutes: fc.array(address.map(hostPrefixOf), { maxLength: 3 }),
  attributes: fc.record({ aggregates: routeAttributes, anycast: anycastAttributes }, { requiredKeys: [] }),
  refusedImports: fc.array(prefix, { maxLength: 3 }),
}, { requiredKeys: ["routerId", "peers", "aggregates", "hostRoutes", "anycastRoutes", "refusedImports"] });

function hostPrefixOf(address: Address): Prefix {
  const fits = address.value >= 0n && address.value >> BigInt(bitsOf(address.family)) === 0n;
  return fits ? hostPrefix(address) : { ...address, base: address.value, length: bitsOf(address.family) };
}

/** An ordinary unicast address: none that a NodeConfig or a kernel would refuse. */
const unicast: fc.Arbitrary<Address> = fc.oneof(
  fc.integer({ min: 0x80000000, max: 0xdfffffff }).filter((value) => value >>> 16 !== 0xa9fe)
    .map((value) => addressOf(4, BigInt(value))),
  fc.bigInt(1n << 125n, (1n << 126n) - 1n).map((value) => addressOf(6, value)),
);

const text = fc.oneof(fc.constantFrom(...HOSTILE_TEXT), fc.string(), fc.ipV4(), fc.ipV6());
const anyOf = (usual: fc.Arbitrary<string>): fc.Arbitrary<string> => rarely(30, { usual, odd: text });
const cidr = (family: Family, valid: string[]): fc.Arbitrary<string> =>
  anyOf(fc.oneof(
    fc.constantFrom(...valid),
    fc.tuple(unicast.filter((address) => address.family === family), fc.integer({ min: 8, max: 30 }))
      .map(([address, length]) => prefixOf(address, family === 4 ? length : length * 4).text),
  ));
const PEERS = ["192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:DB8:0::2"];
const peerAddress = anyOf(fc.oneof(fc.constantFrom(...PEERS), unicast.map(({ text }) => text)));
const anyAsn = rarely<unknown>(30, { usual: fc.integer({ min: 1, max: 4294967295 }), odd: fc.jsonValue() });

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
    cidr6: fc.uniqueArray(cidr(6, ["2001:db8:f001::/64", "2001:db8:F002:0::/80"]), { maxLength: 2 }),
    cidr4: fc.uniqueArray(cidr(4, ["203.0.113.0/26", "198.51.100.0/30", "10.1.0.0/16"]), {
      minLength: 1,
      maxLength: 3,
    }),
    bgp: fc.record({
      asn: anyAsn,
      routerId: anyOf(fc.constantFrom("192.0.2.9", "0.0.0.1")),
      aggregates: fc.record({ communities: fc.array(anyOf(fc.constantFrom("65000:1", "0:0")), { maxLength: 2 }) }),
      anycast: fc.record({
        largeCommunities: fc.array(anyOf(fc.constantFrom("4294967295:1:0", "0:0:0")), { maxLength: 2 }),
        med: within(0, 4294967295),
        prepend: within(0, 10),
      }, { requiredKeys: [] }),
      peers: fc.uniqueArray(
        fc.record({ address: peerAddress, asn: anyAsn, ...sessionOptions }, { requiredKeys: ["address", "asn"] })
          .map(({ extendedNextHop, importLimit, ...peer }) => ({
            ...peer,
            ...(extendedNextHop && peer.address.includes(":") && { extendedNextHop }),
            ...(importLimit !== undefined && peer.multihop === undefined && { importLimit }),
          })),
        { maxLength: 3 },
      ),
    }, { requiredKeys: ["asn", "peers"] }),
  }, { requiredKeys: ["cidr4"] }),
});

/** What a node may have on its interfaces, peers' subnets among them. */
export const networks: fc.Arbitrary<{ addresses: NodeAddress[] }> = fc.record({
  addresses: fc.array(
    fc.record({
      address: fc.oneof(unicast, fc.constantFrom("192.0.2.10", "192.0.2.1", "2001:db8::a", "2001:db8::b").map(ip)),
      bits: fc.integer({ min: 2, max: 32 }),
      permanent: fc.boolean(),
      scope: fc.constantFrom("global", "global", "link", "host"),
    }).map(({ bits, ...rest }): NodeAddress => ({ ...rest, length: rest.address.family === 4 ? bits : bits * 4 })),
    { maxLength: 5 },
  ),
});
