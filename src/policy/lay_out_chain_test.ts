import { assertEquals } from "@std/assert";
import { layOutChain, portsChainsOf } from "./lay_out_chain.ts";
import { portsChainName } from "./names.ts";
import type { Direction } from "./network_policy.ts";
import type { ChainRule, PeerMatch, PolicyChain, PortMatch } from "./policy_table.ts";
import type { SetMatches } from "./render_rule.ts";

const set = (name: string): PeerMatch => ({ kind: "set", family: 4, set: name });
const tcp = (...ports: number[]): PortMatch => {
  return { kind: "ranges", protocol: "tcp", ranges: ports.map((port) => ({ first: port, last: port })) };
};
const chainOf = (...rules: ChainRule[]): PolicyChain => ({ direction: "ingress", rules });
const matches: SetMatches = (name, direction) => [`${direction} @${name}`];
const layOut = (...rules: ChainRule[]): readonly string[] => layOutChain(chainOf(...rules), matches);

Deno.test("layOutChain() gives several ports of a peer a chain of their own, the same for whatever names the same ports", () => {
  const [a, b] = [set("a"), set("b")];
  const chain = chainOf(...[a, b].flatMap((peer) => [tcp(80), tcp(443, 8443)].map((port) => ({ peer, port }))));
  const name = portsChainName("tcp dport 443; tcp dport 80; tcp dport 8443");
  assertEquals(layOutChain(chain, matches), [`ingress @a jump ${name}`, `ingress @b jump ${name}`]);
  assertEquals([...portsChainsOf(chain)], [
    [name, ["tcp dport 443 accept", "tcp dport 80 accept", "tcp dport 8443 accept"]],
  ]);
  const other = chainOf({ peer: a, port: tcp(8443) }, { peer: a, port: tcp(443) }, { peer: a, port: tcp(80) });
  assertEquals([...portsChainsOf(other).keys()], [name]);
});

Deno.test("layOutChain() makes no chain for one port, for every port, and for ports of everybody", () => {
  for (
    const [rules, laidOut] of [
      [[{ peer: set("a"), port: tcp(80) }], ["ingress @a tcp dport 80 accept"]],
      [[{ peer: set("a") }, { peer: set("b"), port: tcp(80) }], [
        "ingress @a accept",
        "ingress @b tcp dport 80 accept",
      ]],
      [[{ peer: set("a"), port: tcp(80, 81) }, { peer: set("a") }], ["ingress @a accept"]],
      [[{ port: tcp(80, 81) }], ["tcp dport 80 accept", "tcp dport 81 accept"]],
      [[{ port: tcp(80) }, {}], ["accept"]],
      [[], []],
    ] as const
  ) {
    assertEquals(layOut(...rules), laidOut);
    assertEquals(portsChainsOf(chainOf(...rules)).size, 0);
  }
});

Deno.test("layOutChain() lets everybody stand for all peers of the same port, and for those of no other", () => {
  assertEquals(layOut({ peer: set("a"), port: tcp(80) }, { port: tcp(80) }, { peer: set("a"), port: tcp(81) }), [
    "ingress @a tcp dport 81 accept",
    "tcp dport 80 accept",
  ]);
});

Deno.test("layOutChain() writes each of what a set or a peer comes to", () => {
  const several: SetMatches = (name: string, direction: Direction) => [1, 2].map((n) => `${direction} ${name}${n}`);
  assertEquals(layOutChain(chainOf({ peer: set("a"), port: tcp(80) }), several), [
    "ingress a1 tcp dport 80 accept",
    "ingress a2 tcp dport 80 accept",
  ]);
  const ranges = [{ family: 4, first: 1n, last: 1n }, { family: 4, first: 3n, last: 4n }] as const;
  assertEquals(layOut({ peer: { kind: "ranges", family: 4, ranges } }), [
    "ip saddr 0.0.0.1 accept",
    "ip saddr 0.0.0.3-0.0.0.4 accept",
  ]);
});

Deno.test("layOutChain() writes few ports one by one and many as one list", () => {
  const many = Array.from({ length: 9 }, (_, n) => 80 + 2 * n);
  assertEquals(layOut({ port: tcp(...many.slice(1)) }).length, 8);
  assertEquals(layOut({ port: tcp(...many) }), [`tcp dport { ${many.join(", ")} } accept`]);
});

Deno.test("layOutChain() looks up ports by destination without regard to peers, and every address of a family without a range", () => {
  const named: PortMatch = { kind: "set", protocol: "tcp", family: 6, set: "ports6_tcp_0" };
  assertEquals(layOutChain({ direction: "egress", rules: [{ port: named }, { port: named }] }, matches), [
    "egress @ports6_tcp_0 accept",
  ]);
  const all = { family: 4, first: 0n, last: 0xffffffffn } as const;
  assertEquals(layOut({ peer: { kind: "ranges", family: 4, ranges: [all] } }), ["meta nfproto ipv4 accept"]);
});
