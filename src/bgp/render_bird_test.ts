import { assert, assertEquals, assertThrows } from "@std/assert";
import { InvalidInput } from "../fault/invalid_input.ts";
import type { AnycastAttributes } from "../nodeconfig/node_config.ts";
import type { BirdConfig } from "./bird_config.ts";
import { renderBird } from "./render_bird.ts";
import { CASES, DUAL_STACK, goldenOf, ip, prefix } from "./testdata/cases.ts";

const [PEER6, PEER4] = DUAL_STACK.peers;

/** name -> the block's text, for every block that has a name. */
function blocksOf(text: string): Map<string, string> {
  return new Map(text.split("\n\n").map((block) => [block.split(" {")[0] ?? "", block]));
}

function changedBlocks(before: BirdConfig, after: BirdConfig): string[] {
  const [old, now] = [blocksOf(renderBird(before)), blocksOf(renderBird(after))];
  return [...new Set([...old.keys(), ...now.keys()])].filter((name) => old.get(name) !== now.get(name));
}

for (const [name, config] of Object.entries(CASES)) {
  Deno.test(`renderBird() writes ${name}.conf as it stands`, () => {
    assertEquals(renderBird(config), goldenOf(name));
  });

  Deno.test(`renderBird() gives the same bytes for ${name} in another order (T-BGP-04)`, () => {
    assertEquals(renderBird(reversed(config)), goldenOf(name));
  });
}

function reversed(config: BirdConfig): BirdConfig {
  const { peers, aggregates, hostRoutes, anycastRoutes, refusedImports } = config;
  return {
    ...config,
    anycastRoutes: [...anycastRoutes, ...anycastRoutes].reverse(),
    peers: [...peers].reverse(),
    aggregates: [...aggregates].reverse(),
    hostRoutes: [...hostRoutes, ...hostRoutes].reverse(),
    refusedImports: [...refusedImports, ...refusedImports].reverse(),
  };
}

Deno.test("renderBird() changes the list of host routes alone for a host route", () => {
  const after = { ...DUAL_STACK, hostRoutes: [prefix("198.51.100.7/32")] };
  assertEquals(changedBlocks(DUAL_STACK, after), ["protocol static hosts4"]);
});

Deno.test("renderBird() changes the list of anycast routes alone for one of them, and one filter for its attributes", () => {
  const after = { ...DUAL_STACK, anycastRoutes: [prefix("198.51.100.7/32")] };
  assertEquals(changedBlocks(DUAL_STACK, after), ["protocol static anycast4"]);
  const attributes = { anycast: { communities: [], largeCommunities: [], prepend: 1 } };
  assertEquals(changedBlocks(DUAL_STACK, { ...DUAL_STACK, attributes }), ["filter export4", "filter export6"]);
});

Deno.test("renderBird() changes one session alone for one peer", () => {
  assert(PEER4 && PEER6);
  const after = { ...DUAL_STACK, peers: [PEER6, { ...PEER4, asn: 64999 }, { ...PEER4, address: ip("192.0.2.2") }] };
  assertEquals(changedBlocks(DUAL_STACK, after), ["protocol bgp peer4_c0000201", "protocol bgp peer4_c0000202"]);
});

Deno.test("renderBird() changes one session alone for one peer's options", () => {
  assert(PEER4 && PEER6);
  for (
    const option of [{ holdTime: 9 }, { ttlSecurity: true }, { gracefulRestart: false }, { importLimit: 7 }, {
      password: "x",
    }] as const
  ) {
    const after = { ...DUAL_STACK, peers: [PEER6, { ...PEER4, ...option }] };
    assertEquals(changedBlocks(DUAL_STACK, after), ["protocol bgp peer4_c0000201"]);
  }
  const bfd = { receiveInterval: 300, transmitInterval: 300, multiplier: 3 };
  const after = { ...DUAL_STACK, peers: [PEER6, { ...PEER4, bfd }] };
  assertEquals(changedBlocks(DUAL_STACK, after), ["protocol bgp peer4_c0000201", "protocol bfd"]);
});

Deno.test("renderBird() renders numbers, never a text that comes with them", () => {
  const evil = "1.2.3.4; } protocol pipe {";
  const forged: BirdConfig = {
    routerId: { ...DUAL_STACK.routerId, text: evil },
    peers: DUAL_STACK.peers.map((peer) => ({ ...peer, address: { ...peer.address, text: evil } })),
    aggregates: DUAL_STACK.aggregates.map((aggregate) => ({ ...aggregate, text: evil })),
    hostRoutes: [],
    anycastRoutes: [],
    refusedImports: DUAL_STACK.refusedImports.map((refused) => ({ ...refused, text: evil })),
  };
  assertEquals(renderBird(forged), goldenOf("dual_stack"));
});

Deno.test("renderBird() refuses what BIRD would refuse or misread, and names it", () => {
  assert(PEER4);
  const withPeer = (change: Partial<typeof PEER4>): BirdConfig => ({ ...DUAL_STACK, peers: [{ ...PEER4, ...change }] });
  const withAnycast = (change: Partial<AnycastAttributes>): BirdConfig => ({
    ...DUAL_STACK,
    attributes: { anycast: { communities: [], largeCommunities: [], ...change } },
  });
  const refusals: [BirdConfig, string][] = [
    [{ ...DUAL_STACK, routerId: ip("0.0.0.0") }, 'router id "0.0.0.0"'],
    [{ ...DUAL_STACK, routerId: ip("2001:db8::1") }, 'router id "2001:db8::1"'],
    [withPeer({ asn: 0 }), 'AS number of peer "192.0.2.1" "0"'],
    [withPeer({ asn: 2 ** 32 }), 'AS number of peer "192.0.2.1" "4294967296"'],
    [withPeer({ asn: NaN }), 'AS number of peer "192.0.2.1" "NaN"'],
    [withPeer({ localAsn: 1.5 }), 'own AS number of peer "192.0.2.1" "1.5"'],
    [withPeer({ localAddress: ip("2001:db8::1") }), "must be of the peer's family"],
    ...["0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255", "::", "::1", "ff02::1", "fe80::1", "::ffff:192.0.2.1"]
      .map((text): [BirdConfig, string] => [
        { ...DUAL_STACK, peers: [{ address: ip(text), asn: 65000, localAsn: 65101 }] },
        "must be a unicast address of global scope",
      ]),
    ...["", 'a"', "a\n", "caf\u00e9", "x".repeat(81)].map((password): [BirdConfig, string] => [
      withPeer({ password }),
      'password of peer "192.0.2.1" "not shown"',
    ]),
    [withPeer({ holdTime: 2 }), 'hold time of peer "192.0.2.1" "2"'],
    [withPeer({ multihop: 256 }), 'hops of peer "192.0.2.1" "256"'],
    [withPeer({ importLimit: 0.5 }), 'import limit of peer "192.0.2.1" "0.5"'],
    [withPeer({ bfd: { receiveInterval: 9, transmitInterval: 10, multiplier: 3 } }), "BFD receive interval of peer"],
    [withPeer({ extendedNextHop: true }), 'extended next hop of peer "192.0.2.1"'],
    [
      {
        ...DUAL_STACK,
        peers: [{
          ...{ address: ip("192.0.2.1"), asn: 1, localAsn: 2, multihop: 2 },
          bfd: { receiveInterval: 10, transmitInterval: 10, multiplier: 3 },
        }],
      },
      "needs a local address over several hops",
    ],
    [{ ...DUAL_STACK, peers: [PEER4, { ...PEER4, asn: 1 }] }, 'peer "192.0.2.1": must be listed once'],
    [{ ...DUAL_STACK, hostRoutes: [prefix("198.51.100.0/31")] }, 'host route "198.51.100.0/31"'],
    [{ ...DUAL_STACK, anycastRoutes: [prefix("198.51.100.0/31")] }, 'host route "198.51.100.0/31"'],
    [withAnycast({ communities: [[1, 65536]] }), 'part of a community "65536"'],
    [withAnycast({ largeCommunities: [[1, 2]] }), 'parts of a large community "2"'],
    [withAnycast({ med: -1 }), 'MED "-1"'],
    [withAnycast({ prepend: 11 }), 'prepend "11"'],
    [{ ...DUAL_STACK, aggregates: [{ ...prefix("10.0.0.0/8"), length: 33 }] }, "aggregate"],
    [{ ...DUAL_STACK, refusedImports: [{ ...prefix("10.0.0.0/8"), base: 1n }] }, "refused import"],
  ];
  for (const [config, words] of refusals) assertThrows(() => renderBird(config), InvalidInput, words);
});
