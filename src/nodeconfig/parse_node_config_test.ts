import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvalidInput } from "../fault/invalid_input.ts";
import type { NodeConfig } from "./node_config.ts";
import { parseNodeConfig } from "./parse_node_config.ts";
import { BAD_NODE_CONFIGS } from "./testdata/bad_node_configs.ts";

const METADATA = { name: "node-a", uid: "u-1", generation: 3, creationTimestamp: "2026-01-02T03:04:05Z" };
const CIDR4 = ["203.0.113.0/24"];

function withSpec(spec: unknown): Record<string, unknown> {
  return { metadata: METADATA, spec };
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
      metrics: { bind: "Node", perPod: true },
      logLevel: "debug",
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
    metrics: { bind: "Node", port: 9469, perPod: true },
    logLevel: "debug",
  });
  assertEquals([...cidr6, ...cidr4].map(({ text }) => text), ["2001:db8:f001::/64", "203.0.113.0/24"]);
  assertEquals(bgp?.peers.map(({ address, asn }) => [address.text, asn]), [["2001:db8::1", 1]]);
  assertEquals([bgp?.asn, bgp?.routerId?.text], [4294967295, "192.0.2.10"]);
});

Deno.test("parseNodeConfig() fills in what may be left out", () => {
  const config = parseNodeConfig(withSpec({ cidr4: ["10.0.0.0/30"] }));
  assertEquals([config.defaults, config.logLevel], [{ ipv6: true, ipv4: true }, "info"]);
  assertEquals([config.portmap, config.mtu, config.bgp, config.ipAlgo], [false, undefined, undefined, undefined]);
});

/** title, object, the problem's field, a part of its rule */
const BAD_IDENTITIES: readonly (readonly [string, Record<string, unknown>, string, string])[] = [
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

const REFUSED = [
  ...BAD_NODE_CONFIGS.map(({ title, spec, field, rule }) => [title, withSpec(spec), field, rule] as const),
  ...BAD_IDENTITIES,
];

for (const [title, raw, field, rule] of REFUSED) {
  Deno.test(`parseNodeConfig() refuses ${title}, naming field and rule`, () => {
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
