import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvalidInput } from "../fault/invalid_input.ts";
import type { NodeConfig } from "./node_config.ts";
import { parseNodeConfig } from "./parse_node_config.ts";

const METADATA = { name: "node-a", uid: "u-1", generation: 3, creationTimestamp: "2026-01-02T03:04:05Z" };
const CIDR4 = ["203.0.113.0/24"];
const CIDR6 = ["2001:db8:f001::/64"];

function withSpec(spec: unknown): Record<string, unknown> {
  return { metadata: METADATA, spec };
}

function withPeers(...addresses: unknown[]): Record<string, unknown> {
  return withSpec({ cidr4: CIDR4, bgp: { asn: 65101, peers: addresses.map((address) => ({ address, asn: 65000 })) } });
}

Deno.test("parseNodeConfig() reads every field of a full NodeConfig", () => {
  const config = parseNodeConfig({
    metadata: { ...METADATA, annotations: { "flock.fritzlab.net/ip-algo": "namespace,pod" } },
    spec: {
      cidr6: ["2001:DB8:f001:0::/64"],
      cidr4: CIDR4,
      defaults: { ipv4: false },
      mtu: 9000,
      portmap: true,
      bgp: { asn: 4294967295, routerId: "192.0.2.10", peers: [{ address: "2001:DB8::0:1", asn: 1 }] },
    },
  });
  const { cidr6, cidr4, bgp, ...rest } = config;
  assertEquals<Omit<NodeConfig, "cidr6" | "cidr4" | "bgp">>(rest, {
    name: "node-a",
    uid: "u-1",
    generation: 3,
    createdAt: Date.UTC(2026, 0, 2, 3, 4, 5),
    ipAlgo: "namespace,pod",
    defaults: { ipv6: true, ipv4: false },
    mtu: 9000,
    portmap: true,
  });
  assertEquals([...cidr6, ...cidr4].map(({ text }) => text), ["2001:db8:f001::/64", "203.0.113.0/24"]);
  assertEquals(bgp?.peers.map(({ address, asn }) => [address.text, asn]), [["2001:db8::1", 1]]);
  assertEquals([bgp?.asn, bgp?.routerId?.text], [4294967295, "192.0.2.10"]);
});

Deno.test("parseNodeConfig() fills in what may be left out", () => {
  const config = parseNodeConfig(withSpec({ cidr4: ["10.0.0.0/30"] }));
  assertEquals(config.defaults, { ipv6: true, ipv4: true });
  assertEquals([config.portmap, config.mtu, config.bgp, config.ipAlgo], [false, undefined, undefined, undefined]);
});

/** spec -> the problem's field and a part of its rule */
const REFUSED: readonly (readonly [string, Record<string, unknown>, string, string])[] = [
  ["no CIDR", withSpec({}), "spec", "at least one CIDR"],
  ["empty lists", withSpec({ cidr4: [], cidr6: [] }), "spec", "at least one CIDR"],
  ["host bits, IPv4", withSpec({ cidr4: ["203.0.113.1/24"] }), "spec.cidr4[0]", "host bits set: 203.0.113.0/24"],
  ["host bits, IPv6", withSpec({ cidr6: ["2001:db8::1/64"] }), "spec.cidr6[0]", "host bits"],
  ["overlap", withSpec({ cidr4: ["10.0.0.0/16", "10.0.4.0/24"] }), "spec.cidr4[1]", "must not overlap 10.0.0.0/16"],
  [
    "duplicate, spelled otherwise",
    withSpec({ cidr6: ["2001:db8::/64", "2001:DB8:0::/64"] }),
    "spec.cidr6[1]",
    "overlap",
  ],
  ["/31 in cidr4", withSpec({ cidr4: ["10.0.0.0/31"] }), "spec.cidr4[0]", "/30 or wider"],
  ["/32 in cidr4", withSpec({ cidr4: ["10.0.0.1/32"] }), "spec.cidr4[0]", "/30 or wider"],
  ["/128 in cidr6", withSpec({ cidr6: ["2001:db8::1/128"] }), "spec.cidr6[0]", "/127 or wider"],
  ["the other family", withSpec({ cidr4: CIDR6 }), "spec.cidr4[0]", "must be an IPv4 CIDR"],
  ["no prefix length", withSpec({ cidr4: ["10.0.0.0"] }), "spec.cidr4[0]", "must be an IPv4 CIDR"],
  ["octal", withSpec({ cidr4: ["010.0.0.0/24"] }), "spec.cidr4[0]", "must be an IPv4 CIDR"],
  ["a line more", withSpec({ cidr4: ["10.0.0.0/24\nprotocol device;"] }), "spec.cidr4[0]", "must be an IPv4 CIDR"],
  ["200 KiB of text", withSpec({ cidr4: ["1".repeat(200 * 1024)] }), "spec.cidr4[0]", "must be an IPv4 CIDR"],
  ["10 000 entries", withSpec({ cidr4: Array(10_000).fill("10.0.0.0/24") }), "spec.cidr4", "at most 8 items"],
  ["the whole of IPv4", withSpec({ cidr4: ["0.0.0.0/0"] }), "spec.cidr4[0]", "must hold no addresses of 0.0.0.0/8"],
  ["around loopback", withSpec({ cidr4: ["64.0.0.0/2"] }), "spec.cidr4[0]", "must hold no addresses of 127.0.0.0/8"],
  ["link-local", withSpec({ cidr6: ["fe80::/64"] }), "spec.cidr6[0]", "must hold no addresses of fe80::/10"],
  ["IPv4-mapped", withSpec({ cidr6: ["::ffff:10.0.0.0/120"] }), "spec.cidr6[0]", "must hold no addresses of ::/64"],
  ["a text for a list", withSpec({ cidr4: "10.0.0.0/24" }), "spec.cidr4", "must be a list"],
  [
    "no family left",
    withSpec({ cidr4: CIDR4, defaults: { ipv4: false } }),
    "spec.defaults",
    "must leave an address family",
  ],
  [
    "both families off",
    withSpec({ cidr4: CIDR4, cidr6: CIDR6, defaults: { ipv4: false, ipv6: false } }),
    "spec.defaults",
    "family",
  ],
  ["a default `yes`", withSpec({ cidr4: CIDR4, defaults: { ipv4: "yes" } }), "spec.defaults.ipv4", "true or false"],
  ["MTU 575", withSpec({ cidr4: CIDR4, mtu: 575 }), "spec.mtu", "from 576 to 65535"],
  ["MTU 1279 with IPv6", withSpec({ cidr6: CIDR6, mtu: 1279 }), "spec.mtu", "at least 1280"],
  ["ASN 0", withSpec({ cidr4: CIDR4, bgp: { asn: 0 } }), "spec.bgp.asn", "from 1 to 4294967295"],
  ["ASN 2^32", withSpec({ cidr4: CIDR4, bgp: { asn: 2 ** 32 } }), "spec.bgp.asn", "from 1 to 4294967295"],
  ["no ASN", withSpec({ cidr4: CIDR4, bgp: {} }), "spec.bgp.asn", "must be a whole number"],
  ["an ASN as text", withSpec({ cidr4: CIDR4, bgp: { asn: "65000" } }), "spec.bgp.asn", "must be a whole number"],
  [
    "router id 0.0.0.0",
    withSpec({ cidr4: CIDR4, bgp: { asn: 1, routerId: "0.0.0.0" } }),
    "spec.bgp.routerId",
    "0.0.0.0",
  ],
  ["an IPv6 router id", withSpec({ cidr4: CIDR4, bgp: { asn: 1, routerId: "::1" } }), "spec.bgp.routerId", "IPv4"],
  ["a peer that is a name", withPeers("router"), "spec.bgp.peers[0].address", "must be an IP address"],
  ["a peer with a zone", withPeers("fe80::1%eth0"), "spec.bgp.peers[0].address", "must be an IP address"],
  ["a loopback peer", withPeers("127.0.0.1"), "spec.bgp.peers[0].address", "127.0.0.0/8"],
  ["a multicast peer", withPeers("ff02::5"), "spec.bgp.peers[0].address", "ff00::/8"],
  ["a link-local peer", withPeers("192.0.2.1", "fe80::1"), "spec.bgp.peers[1].address", "fe80::/10"],
  ["an IPv4-mapped peer", withPeers("::ffff:192.0.2.1"), "spec.bgp.peers[0].address", "::/64"],
  ["the same peer twice", withPeers("2001:db8::1", "2001:DB8:0::1"), "spec.bgp.peers[1].address", "must be unique"],
  ["a peer inside the CIDR", withPeers("203.0.113.9"), "spec.cidr4", "must not contain the BGP peer 203.0.113.9"],
  ["a peer that is a list", withSpec({ cidr4: CIDR4, bgp: { asn: 1, peers: [[]] } }), "spec.bgp.peers[0]", "an object"],
  ["no name", { metadata: { ...METADATA, name: "" }, spec: { cidr4: CIDR4 } }, "metadata.name", "not empty"],
  [
    "a name that is none",
    { metadata: { ...METADATA, name: "a b" }, spec: { cidr4: CIDR4 } },
    "metadata.name",
    "RFC 1123",
  ],
  [
    "no age",
    { metadata: { ...METADATA, creationTimestamp: 0 }, spec: { cidr4: CIDR4 } },
    "metadata.creationTimestamp",
    "RFC 3339",
  ],
];

for (const [title, raw, field, rule] of REFUSED) {
  Deno.test(`parseNodeConfig() refuses ${title}, naming field and rule (T-SEC-02)`, () => {
    const { problems, message } = assertThrows(() => parseNodeConfig(raw), InvalidInput);
    assertEquals(problems.map((problem) => problem.field).slice(0, 1), [field]);
    assertStringIncludes(problems[0]?.rule ?? "", rule);
    assert(message.length < 400, "a long value is cut in the message");
  });
}

Deno.test("parseNodeConfig() names every problem at once", () => {
  const raw = withSpec({
    cidr4: ["x"],
    cidr6: ["2001:db8::1/64"],
    mtu: 0,
    bgp: { asn: 0, peers: [{ address: "x", asn: 0 }] },
  });
  const { problems } = assertThrows(() => parseNodeConfig(raw), InvalidInput);
  assertEquals(problems.map(({ field }) => field), [
    "spec.cidr6[0]",
    "spec.cidr4[0]",
    "spec.mtu",
    "spec.bgp.asn",
    "spec.bgp.peers[0].address",
    "spec.bgp.peers[0].asn",
  ]);
});

/** Any JSON, and JSON that looks like a NodeConfig with anything in its fields. */
function anyRaw(): fc.Arbitrary<unknown> {
  const ip = fc.oneof(fc.ipV4(), fc.ipV6());
  const cidr = fc.tuple(ip, fc.integer({ min: 0, max: 128 })).map(([address, length]) => `${address}/${length}`);
  const or = (...likely: fc.Arbitrary<unknown>[]): fc.Arbitrary<unknown> => fc.oneof(fc.jsonValue(), ...likely);
  const peer = fc.record({ address: or(ip), asn: or(fc.integer({ min: 0, max: 2 ** 32 })) }, { requiredKeys: [] });
  const bgp = fc.record({ asn: or(fc.constant(65101)), routerId: or(ip), peers: or(fc.array(or(peer))) }, {
    requiredKeys: [],
  });
  const fields = { cidr4: or(fc.array(or(cidr))), cidr6: or(fc.array(or(cidr))), mtu: fc.jsonValue(), bgp: or(bgp) };
  const spec = fc.record(fields, { requiredKeys: [] });
  const metadata = fc.oneof(fc.constant<unknown>(METADATA), fc.jsonValue());
  return or(fc.record({ metadata, spec: or(spec) }));
}

Deno.test("parseNodeConfig() makes of any JSON a NodeConfig or InvalidInput, never another error", () => {
  fc.assert(fc.property(anyRaw(), (raw) => {
    try {
      parseNodeConfig(raw);
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      assert(error.problems.length > 0 && error.problems.every(({ field, rule }) => field !== "" && rule !== ""));
    }
  }));
});

Deno.test("parseNodeConfig() takes every sound prefix of both families", () => {
  const prefix4 = fc.tuple(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 24, max: 30 }));
  fc.assert(fc.property(prefix4, fc.bigInt({ min: 0n, max: 0xffffn }), ([low, length], group) => {
    const raw = { cidr4: [`10.${low >> 8}.${low & 255}.0/${length}`], cidr6: [`2001:db8:${group.toString(16)}::/48`] };
    assertEquals(parseNodeConfig(withSpec(raw)).cidr4[0]?.text, raw.cidr4[0]);
  }));
});
