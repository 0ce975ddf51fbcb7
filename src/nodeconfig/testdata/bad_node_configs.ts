/** NodeConfigs that must be refused, for the parser's own tests and for those of the API servers. */

export interface BadNodeConfig {
  readonly title: string;
  readonly spec: unknown;
  /** Of the first problem that the parser names. */
  readonly field: string;
  /** A part of the parser's rule. */
  readonly rule: string;
  /** Who can refuse it before the agent: the structural schema, or only its CEL rules. */
  readonly refusedBy: "schema" | "cel";
}

const CIDR4 = ["203.0.113.0/24"];
const CIDR6 = ["2001:db8:f001::/64"];

/** the option, a part of the rule, who can refuse it, the peer's address */
const PEER_OPTIONS: readonly [Readonly<Record<string, unknown>>, string, BadNodeConfig["refusedBy"], string?][] = [
  [{ holdTime: 2 }, "from 3 to 65535", "schema"],
  [{ holdTime: "90" }, "a whole number", "schema"],
  [{ bfd: { receiveInterval: 9 } }, "from 10 to 60000", "schema"],
  [{ bfd: { transmitInterval: 60_001 } }, "from 10 to 60000", "schema"],
  [{ bfd: { multiplier: 1 } }, "from 2 to 255", "schema"],
  [{ multihop: 1 }, "from 2 to 255", "schema"],
  [{ password: { file: "../shadow" } }, "a key of the Secret", "schema"],
  [{ password: { file: "" } }, "a key of the Secret", "schema"],
  [{ ttlSecurity: 1 }, "true or false", "schema"],
  [{ gracefulRestart: "no" }, "true or false", "schema"],
  [{ extendedNextHop: true }, "left out with an IPv4 peer", "cel"],
  [{ importLimit: 0 }, "from 1 to 10000000", "schema"],
  [{ importLimit: 1, multihop: 2 }, "left out with multihop", "cel"],
];

/** the attributes, the field, a part of the rule, who can refuse it */
const ATTRIBUTES: readonly [unknown, string, string, BadNodeConfig["refusedBy"]][] = [
  [{ communities: ["65536:0"] }, "communities[0]", "two numbers up to 65535", "cel"],
  [{ communities: ["no-export"] }, "communities[0]", "two numbers", "schema"],
  [{ communities: ["1:2:3"] }, "communities[0]", "two numbers", "schema"],
  [{ largeCommunities: ["1:2:4294967296"] }, "largeCommunities[0]", "three numbers up to 4294967295", "cel"],
  [{ largeCommunities: ["1:2"] }, "largeCommunities[0]", "three numbers", "schema"],
  [{ med: -1 }, "med", "from 0 to 4294967295", "schema"],
  [{ prepend: 11 }, "prepend", "from 0 to 10", "schema"],
];

export const BAD_NODE_CONFIGS: readonly BadNodeConfig[] = [
  { title: "no CIDR", spec: {}, field: "spec", rule: "at least one CIDR", refusedBy: "cel" },
  { title: "empty lists", spec: { cidr4: [], cidr6: [] }, field: "spec", rule: "at least one CIDR", refusedBy: "cel" },
  {
    title: "a log level that is none",
    spec: { cidr4: CIDR4, logLevel: "Debug" },
    field: "spec.logLevel",
    rule: "must be one of debug, info, warn, error",
    refusedBy: "schema",
  },
  {
    title: "host bits, IPv4",
    spec: { cidr4: ["203.0.113.1/24"] },
    field: "spec.cidr4[0]",
    rule: "host bits set: 203.0.113.0/24",
    refusedBy: "cel",
  },
  {
    title: "host bits, IPv6",
    spec: { cidr6: ["2001:db8::1/64"] },
    field: "spec.cidr6[0]",
    rule: "host bits",
    refusedBy: "cel",
  },
  {
    title: "overlap",
    spec: { cidr4: ["10.0.0.0/16", "10.0.4.0/24"] },
    field: "spec.cidr4[1]",
    rule: "must not overlap 10.0.0.0/16",
    refusedBy: "cel",
  },
  {
    title: "duplicate, spelled otherwise",
    spec: { cidr6: ["2001:db8::/64", "2001:DB8:0::/64"] },
    field: "spec.cidr6[1]",
    rule: "overlap",
    refusedBy: "cel",
  },
  {
    title: "/31 in cidr4",
    spec: { cidr4: ["10.0.0.0/31"] },
    field: "spec.cidr4[0]",
    rule: "/30 or wider",
    refusedBy: "cel",
  },
  {
    title: "/32 in cidr4",
    spec: { cidr4: ["10.0.0.1/32"] },
    field: "spec.cidr4[0]",
    rule: "/30 or wider",
    refusedBy: "cel",
  },
  {
    title: "/128 in cidr6",
    spec: { cidr6: ["2001:db8::1/128"] },
    field: "spec.cidr6[0]",
    rule: "/127 or wider",
    refusedBy: "cel",
  },
  {
    title: "the other family",
    spec: { cidr4: CIDR6 },
    field: "spec.cidr4[0]",
    rule: "must be an IPv4 CIDR",
    refusedBy: "cel",
  },
  {
    title: "no prefix length",
    spec: { cidr4: ["10.0.0.0"] },
    field: "spec.cidr4[0]",
    rule: "must be an IPv4 CIDR",
    refusedBy: "cel",
  },
  {
    title: "octal",
    spec: { cidr4: ["010.0.0.0/24"] },
    field: "spec.cidr4[0]",
    rule: "must be an IPv4 CIDR",
    refusedBy: "cel",
  },
  {
    title: "a line more",
    spec: { cidr4: ["10.0.0.0/24\nprotocol device;"] },
    field: "spec.cidr4[0]",
    rule: "must be an IPv4 CIDR",
    refusedBy: "schema",
  },
  {
    title: "200 KiB of text",
    spec: { cidr4: ["1".repeat(200 * 1024)] },
    field: "spec.cidr4[0]",
    rule: "must be an IPv4 CIDR",
    refusedBy: "schema",
  },
  {
    title: "10 000 entries",
    spec: { cidr4: Array(10_000).fill("10.0.0.0/24") },
    field: "spec.cidr4",
    rule: "at most 8 items",
    refusedBy: "schema",
  },
  {
    title: "the whole of IPv4",
    spec: { cidr4: ["0.0.0.0/0"] },
    field: "spec.cidr4[0]",
    rule: "must hold no addresses of 0.0.0.0/8",
    refusedBy: "cel",
  },
  {
    title: "around loopback",
    spec: { cidr4: ["64.0.0.0/2"] },
    field: "spec.cidr4[0]",
    rule: "must hold no addresses of 127.0.0.0/8",
    refusedBy: "cel",
  },
  {
    title: "link-local",
    spec: { cidr6: ["fe80::/64"] },
    field: "spec.cidr6[0]",
    rule: "must hold no addresses of fe80::/10",
    refusedBy: "cel",
  },
  {
    title: "IPv4-mapped",
    spec: { cidr6: ["::ffff:10.0.0.0/120"] },
    field: "spec.cidr6[0]",
    rule: "must hold no addresses of ::/64",
    refusedBy: "cel",
  },
  {
    title: "a text for a list",
    spec: { cidr4: "10.0.0.0/24" },
    field: "spec.cidr4",
    rule: "must be a list",
    refusedBy: "schema",
  },
  {
    title: "no family left",
    spec: { cidr4: CIDR4, defaults: { ipv4: false } },
    field: "spec.defaults",
    rule: "must leave an address family",
    refusedBy: "cel",
  },
  {
    title: "both families off",
    spec: { cidr4: CIDR4, cidr6: CIDR6, defaults: { ipv4: false, ipv6: false } },
    field: "spec.defaults",
    rule: "family",
    refusedBy: "cel",
  },
  {
    title: "a default `yes`",
    spec: { cidr4: CIDR4, defaults: { ipv4: "yes" } },
    field: "spec.defaults.ipv4",
    rule: "true or false",
    refusedBy: "schema",
  },
  {
    title: "MTU 575",
    spec: { cidr4: CIDR4, mtu: 575 },
    field: "spec.mtu",
    rule: "from 576 to 65535",
    refusedBy: "schema",
  },
  {
    title: "MTU 1279 with IPv6",
    spec: { cidr6: CIDR6, mtu: 1279 },
    field: "spec.mtu",
    rule: "at least 1280",
    refusedBy: "cel",
  },
  {
    title: "metrics bound to somewhere",
    spec: { cidr4: CIDR4, metrics: { bind: "Everywhere" } },
    field: "spec.metrics.bind",
    rule: "Loopback or Node",
    refusedBy: "schema",
  },
  {
    title: "metrics on a privileged port",
    spec: { cidr4: CIDR4, metrics: { port: 179 } },
    field: "spec.metrics.port",
    rule: "from 1024 to 65535",
    refusedBy: "schema",
  },
  {
    title: "ASN 0",
    spec: { cidr4: CIDR4, bgp: { asn: 0 } },
    field: "spec.bgp.asn",
    rule: "from 1 to 4294967295",
    refusedBy: "schema",
  },
  {
    title: "ASN 2^32",
    spec: { cidr4: CIDR4, bgp: { asn: 2 ** 32 } },
    field: "spec.bgp.asn",
    rule: "from 1 to 4294967295",
    refusedBy: "schema",
  },
  {
    title: "no ASN",
    spec: { cidr4: CIDR4, bgp: {} },
    field: "spec.bgp.asn",
    rule: "must be a whole number",
    refusedBy: "schema",
  },
  {
    title: "an ASN as text",
    spec: { cidr4: CIDR4, bgp: { asn: "65000" } },
    field: "spec.bgp.asn",
    rule: "must be a whole number",
    refusedBy: "schema",
  },
  {
    title: "router id 0.0.0.0",
    spec: { cidr4: CIDR4, bgp: { asn: 1, routerId: "0.0.0.0" } },
    field: "spec.bgp.routerId",
    rule: "0.0.0.0",
    refusedBy: "cel",
  },
  {
    title: "an IPv6 router id",
    spec: { cidr4: CIDR4, bgp: { asn: 1, routerId: "::1" } },
    field: "spec.bgp.routerId",
    rule: "IPv4",
    refusedBy: "schema",
  },
  {
    title: "a peer that is a name",
    spec: specWithPeers("router"),
    field: "spec.bgp.peers[0].address",
    rule: "must be an IP address",
    refusedBy: "cel",
  },
  {
    title: "a peer with a zone",
    spec: specWithPeers("fe80::1%eth0"),
    field: "spec.bgp.peers[0].address",
    rule: "must be an IP address",
    refusedBy: "cel",
  },
  {
    title: "a loopback peer",
    spec: specWithPeers("127.0.0.1"),
    field: "spec.bgp.peers[0].address",
    rule: "127.0.0.0/8",
    refusedBy: "cel",
  },
  {
    title: "a multicast peer",
    spec: specWithPeers("ff02::5"),
    field: "spec.bgp.peers[0].address",
    rule: "ff00::/8",
    refusedBy: "cel",
  },
  {
    title: "a link-local peer",
    spec: specWithPeers("192.0.2.1", "fe80::1"),
    field: "spec.bgp.peers[1].address",
    rule: "fe80::/10",
    refusedBy: "cel",
  },
  {
    title: "an IPv4-mapped peer",
    spec: specWithPeers("::ffff:192.0.2.1"),
    field: "spec.bgp.peers[0].address",
    rule: "::/64",
    refusedBy: "cel",
  },
  {
    title: "the same peer twice",
    spec: specWithPeers("2001:db8::1", "2001:DB8:0::1"),
    field: "spec.bgp.peers[1].address",
    rule: "must be unique",
    refusedBy: "cel",
  },
  {
    title: "a peer inside the CIDR",
    spec: specWithPeers("203.0.113.9"),
    field: "spec.cidr4",
    rule: "must not contain the BGP peer 203.0.113.9",
    refusedBy: "cel",
  },
  {
    title: "a peer that is a list",
    spec: { cidr4: CIDR4, bgp: { asn: 1, peers: [[]] } },
    field: "spec.bgp.peers[0]",
    rule: "an object",
    refusedBy: "schema",
  },
  {
    title: "no route to announce",
    spec: { cidr4: CIDR4, bgp: { asn: 65101, maxAnnounced: 0 } },
    field: "spec.bgp.maxAnnounced",
    rule: "from 1 to 100000",
    refusedBy: "schema",
  },
  ...ATTRIBUTES.map(([attributes, field, rule, refusedBy]): BadNodeConfig => ({
    title: `anycast routes with ${JSON.stringify(attributes)}`,
    spec: { cidr4: CIDR4, bgp: { asn: 65101, anycast: attributes } },
    field: `spec.bgp.anycast.${field}`,
    rule,
    refusedBy,
  })),
  ...PEER_OPTIONS.map(([option, rule, refusedBy, address]): BadNodeConfig => ({
    title: `a peer with ${JSON.stringify(option)}`,
    spec: { cidr4: CIDR4, bgp: { asn: 65101, peers: [{ address: address ?? "192.0.2.1", asn: 65000, ...option }] } },
    field: `spec.bgp.peers[0].${Object.keys(option)[0]}${innerOf(Object.values(option)[0])}`,
    rule,
    refusedBy,
  })),
];

/** @returns the path to an object's only field */
function innerOf(value: unknown): string {
  return typeof value === "object" && value !== null ? `.${Object.keys(value)[0]}` : "";
}

function specWithPeers(...addresses: string[]): unknown {
  return { cidr4: CIDR4, bgp: { asn: 65101, peers: addresses.map((address) => ({ address, asn: 65000 })) } };
}
