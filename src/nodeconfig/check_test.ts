import { assertEquals, assertStringIncludes } from "@std/assert";
import { formatProblem } from "../fault/invalid_input.ts";
import { parseInterfaceAddress } from "../ip/address.ts";
import { checkAgainstHost, type HostAddresses } from "./check_against_host.ts";
import { checkAgainstOthers } from "./check_against_others.ts";
import type { NodeConfig } from "./node_config.ts";
import { parseNodeConfig } from "./parse_node_config.ts";

interface Sketch {
  readonly name?: string;
  readonly created?: string;
  readonly cidr4?: readonly string[];
  readonly cidr6?: readonly string[];
  readonly asn?: number;
  readonly peers?: readonly string[];
}

function config({ name = "node-a", created = "2026-01-01T00:00:00Z", asn, peers = [], ...cidrs }: Sketch): NodeConfig {
  const bgp = asn === undefined ? {} : { bgp: { asn, peers: peers.map((address) => ({ address, asn: 65000 })) } };
  const metadata = { name, uid: name, generation: 1, creationTimestamp: created };
  return parseNodeConfig({ metadata, spec: { ...cidrs, ...bgp } });
}

function network(...addresses: string[]): HostAddresses {
  return {
    addresses: addresses.flatMap((text) => {
      const parsed = parseInterfaceAddress(text);
      return parsed === undefined ? [] : [{ ...parsed, link: "eth0" }];
    }),
  };
}

const HOST = network("192.0.2.10/24", "2001:db8:1::a/64", "fe80::1/64");

/** config -> what is wrong with it on that host */
const ON_HOST: readonly (readonly [string, Sketch, string[]])[] = [
  ["takes CIDRs elsewhere", { cidr4: ["203.0.113.0/24"], cidr6: ["2001:db8:f::/64"] }, []],
  ["refuses a CIDR around an own address", { cidr4: ["203.0.113.0/24", "192.0.0.0/16"] }, [
    'spec.cidr4[1] "192.0.0.0/16": must not contain the node\'s own address 192.0.2.10 on eth0',
  ]],
  ["refuses a part of a connected subnet", { cidr6: ["2001:db8:1:0:8000::/80"] }, [
    'spec.cidr6[0] "2001:db8:1:0:8000::/80": must not overlap 2001:db8:1::/64, which is connected on eth0',
  ]],
  ["refuses the node itself as a peer", { cidr4: ["10.0.0.0/24"], asn: 1, peers: ["192.0.2.1", "192.0.2.10"] }, [
    'spec.bgp.peers[1].address "192.0.2.10": must not be the node\'s own address on eth0',
  ]],
];

for (const [title, sketch, problems] of ON_HOST) {
  Deno.test(`checkAgainstHost() ${title}`, () => {
    assertEquals(checkAgainstHost(config(sketch), HOST).map(formatProblem), problems);
  });
}

Deno.test("checkAgainstOthers() rejects the younger of two that overlap, and only that one (T-REL-23)", () => {
  const older = config({ name: "node-b", cidr4: ["10.0.0.0/16"] });
  const younger = config({ name: "node-a", created: "2026-01-02T00:00:00Z", cidr4: ["172.16.0.0/24", "10.0.7.0/24"] });
  assertEquals(checkAgainstOthers(younger, [older, younger]).problems.map(formatProblem), [
    'spec.cidr4[1] "10.0.7.0/24": must not overlap 10.0.0.0/16 of NodeConfig node-b',
  ]);
  assertEquals(checkAgainstOthers(older, [older, younger]).problems, []);
});

Deno.test("checkAgainstOthers() decides by name between two of the same age", () => {
  const [a, b] = [config({ name: "a", cidr6: ["2001:db8::/64"] }), config({ name: "b", cidr6: ["2001:db8::/48"] })];
  assertEquals(checkAgainstOthers(a, [a, b]).problems, []);
  assertEquals(checkAgainstOthers(b, [a, b]).problems.length, 1);
});

Deno.test("checkAgainstOthers() warns of an ASN that another one uses, whoever is older", () => {
  const [a, b] = [
    config({ name: "a", cidr4: ["10.0.0.0/24"], asn: 7 }),
    config({ name: "b", cidr4: ["10.0.1.0/24"], asn: 7 }),
  ];
  for (const [own, other] of [[a, b], [b, a]] as const) {
    const { problems, warnings } = checkAgainstOthers(own, [a, b]);
    assertEquals(problems, []);
    assertStringIncludes(warnings[0] ?? "", `spec.bgp.asn 7 is also that of NodeConfig ${other.name}`);
  }
});
