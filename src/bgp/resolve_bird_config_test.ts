import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { InvalidInput } from "../fault/invalid_input.ts";
import { parseNodeConfig } from "../nodeconfig/parse_node_config.ts";
import type { BirdConfig } from "./bird_config.ts";
import type { NodeAddress } from "./choose_local_address.ts";
import { renderBird } from "./render_bird.ts";
import { type BirdSources, resolveBirdConfig } from "./resolve_bird_config.ts";
import { birdConfigs, networks, nodeConfigs } from "./testdata/arbitrary.ts";
import { DUAL_STACK, ip, prefix } from "./testdata/cases.ts";
import { strangeLines } from "./testdata/grammar.ts";

function own(text: string, length: number, rest: Partial<NodeAddress> = {}): NodeAddress {
  return { address: ip(text), length, permanent: true, scope: "global", ...rest };
}

const NETWORK = {
  addresses: [
    own("2001:db8:1::a", 64),
    own("192.0.2.10", 24),
    own("fe80::1", 64, { scope: "link" }),
  ],
};

const SOURCES: BirdSources = {
  config: {
    cidr6: [prefix("2001:db8:f001::/64")],
    cidr4: [prefix("203.0.113.0/26")],
    bgp: { asn: 65101, peers: [ip("2001:db8:1::1"), ip("192.0.2.1")].map((address) => ({ address, asn: 65000 })) },
  },
  nodeName: "node-a",
  network: NETWORK,
  liveAddresses: [ip("203.0.113.7")],
  anycast: [],
};

/** The text, or undefined when the input was refused. */
function textOf(make: () => BirdConfig): string | undefined {
  try {
    return renderBird(make());
  } catch (error) {
    if (error instanceof InvalidInput) return undefined;
    throw error;
  }
}

Deno.test("resolveBirdConfig() takes peers, local addresses, aggregates and connected prefixes from the state", () => {
  assertEquals(resolveBirdConfig(SOURCES), DUAL_STACK);
});

Deno.test("resolveBirdConfig() advertises by itself only what no current CIDR covers", () => {
  const liveAddresses = ["203.0.113.7", "203.0.113.64", "2001:db8:f001::1", "2001:db8:f002::1"].map(ip);
  const { hostRoutes } = resolveBirdConfig({ ...SOURCES, liveAddresses });
  assertEquals(hostRoutes.map(({ text }) => text), ["203.0.113.64/32", "2001:db8:f002::1/128"]);
});

Deno.test("resolveBirdConfig() gives a far peer a source address, and BFD only with one", () => {
  const bfd = { receiveInterval: 300, transmitInterval: 300, multiplier: 3 };
  const peer = { address: ip("198.51.100.1"), asn: 65000, multihop: 3, bfd };
  const config = { ...SOURCES.config, bgp: { asn: 65101, peers: [peer] } };
  const addresses = [own("192.0.2.9", 24, { permanent: false }), own("192.0.2.11", 24), own("192.0.2.10", 24)];
  const peersOn = (addresses: NodeAddress[]): unknown =>
    resolveBirdConfig({ ...SOURCES, config, network: { addresses } }).peers;
  assertEquals(peersOn(addresses), [{ ...peer, localAsn: 65101, localAddress: ip("192.0.2.10") }]);
  assertEquals(peersOn(addresses.slice(0, 1)), [{ ...peer, localAsn: 65101, localAddress: ip("192.0.2.9") }]);
  assertEquals(peersOn([own("2001:db8:1::a", 64)]), [{
    address: peer.address,
    asn: 65000,
    multihop: 3,
    localAsn: 65101,
  }]);
});

Deno.test("resolveBirdConfig() leaves out a peer whose password is not known, and no other", () => {
  const peers = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((text, index) => ({
    ...{ address: ip(text), asn: 65000 },
    ...(index > 0 && { password: { file: `file-${index}` } }),
  }));
  const config = { ...SOURCES.config, bgp: { asn: 65101, peers } };
  const passwords = new Map([["file-2", "secret"]]);
  const sessions = resolveBirdConfig({ ...SOURCES, config, passwords }).peers;
  assertEquals(sessions.map(({ address, password }) => [address.text, password]), [
    ["192.0.2.1", undefined],
    ["192.0.2.3", "secret"],
  ]);
});

Deno.test("resolveBirdConfig() without bgp has no session", () => {
  const { cidr4, cidr6 } = SOURCES.config;
  assertEquals(resolveBirdConfig({ ...SOURCES, config: { cidr4, cidr6 } }).peers, []);
});

Deno.test("resolveBirdConfig() refuses the real prefixes of leased addresses too, and never link-local ones", () => {
  const addresses = [own("10.20.30.40", 20, { permanent: false }), own("169.254.7.7", 16, { scope: "link" })];
  const { refusedImports } = resolveBirdConfig({ ...SOURCES, network: { addresses } });
  assertEquals(refusedImports.map(({ text }) => text), ["10.20.16.0/20", "10.20.30.40/32"]);
});

Deno.test("no typed input, however hostile, yields a line nobody asked for", () => {
  let rendered = 0;
  fc.assert(fc.property(birdConfigs, (config) => {
    const text = textOf(() => config);
    if (text === undefined) return;
    rendered++;
    assertEquals(strangeLines(text), []);
  }));
  assert(rendered > 20);
});

Deno.test("no NodeConfig, however hostile, yields a line nobody asked for", () => {
  let rendered = 0;
  fc.assert(fc.property(nodeConfigs, (raw) => {
    const text = textOf(() => resolveBirdConfig({ ...SOURCES, config: parseNodeConfig(raw) }));
    if (text === undefined) return;
    rendered++;
    assertEquals(strangeLines(text), []);
  }));
  assert(rendered > 20);
});

Deno.test("a NodeConfig that parseNodeConfig() lets pass is never refused by renderBird(), on no network", () => {
  let rendered = 0;
  fc.assert(fc.property(nodeConfigs, networks, (raw, network) => {
    const config = parsedOf(raw);
    if (config === undefined) return;
    renderBird(resolveBirdConfig({ ...SOURCES, config, network }));
    rendered++;
  }));
  assert(rendered > 20);
});

Deno.test("the same state in any order, anything twice, is the same text (T-BGP-04)", () => {
  const state = fc.record({ raw: nodeConfigs, network: networks, live: fc.array(fc.integer({ min: 1, max: 62 })) });
  fc.assert(fc.property(state, fc.infiniteStream(fc.nat(97)), ({ raw, network, live }, keys) => {
    const config = parsedOf(raw);
    if (config === undefined) return;
    const mixed = <T>(list: readonly T[]): T[] => byRandomKey([...list, ...list], keys);
    const liveAddresses = live.map((host) => ip(`198.18.0.${host}`));
    const bgp = config.bgp && { ...config.bgp, peers: byRandomKey(config.bgp.peers, keys) };
    const other = resolveBirdConfig({
      ...SOURCES,
      config: { cidr6: mixed(config.cidr6), cidr4: mixed(config.cidr4), ...(bgp && { bgp }) },
      network: { addresses: mixed(network.addresses) },
      liveAddresses: mixed(liveAddresses),
    });
    assertEquals(renderBird(other), renderBird(resolveBirdConfig({ ...SOURCES, config, network, liveAddresses })));
  }));
});

function byRandomKey<T>(list: readonly T[], keys: Iterator<number>): T[] {
  const keyed = list.map((item) => ({ item, key: Number(keys.next().value) }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

Deno.test("pods that come and go inside the node's CIDRs change no byte (T-BGP-04)", () => {
  const texts = Array.from({ length: 1000 }, (_, event) => {
    const liveAddresses = [ip(`203.0.113.${1 + event % 62}`), ip(`2001:db8:f001::${(event + 1).toString(16)}`)];
    return renderBird(resolveBirdConfig({ ...SOURCES, liveAddresses }));
  });
  assertEquals([...new Set(texts)], [renderBird(DUAL_STACK)]);
});

function parsedOf(raw: unknown): BirdSources["config"] | undefined {
  try {
    return parseNodeConfig(raw);
  } catch (error) {
    if (error instanceof InvalidInput) return undefined;
    throw error;
  }
}

Deno.test("the grammar of allowed lines lets no stranger pass", () => {
  const strangers = ['include "/etc/passwd";', "  route 10.0.0.0/8 via 192.0.2.1;", "protocol pipe {", "up"];
  assertEquals(strangeLines(strangers.join("\n")), strangers);
});
