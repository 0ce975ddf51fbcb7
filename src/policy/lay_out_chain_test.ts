import { assertEquals } from "@std/assert";
import { layOutChain } from "./lay_out_chain.ts";
import type { ChainRule, PeerMatch, PortMatch } from "./policy_table.ts";

const NAME = "in_0";
const set = (name: string): PeerMatch => ({ kind: "set", family: 4, set: name });
const tcp = (...ports: number[]): PortMatch => {
  return { kind: "ranges", protocol: "tcp", ranges: ports.map((port) => ({ first: port, last: port })) };
};
const layOut = (...rules: ChainRule[]): Record<string, readonly string[]> =>
  Object.fromEntries(layOutChain(NAME, { direction: "ingress", rules }));

Deno.test("layOutChain() gives several peers of several ports a chain of their own, once", () => {
  const [a, b] = [set("a"), set("b")];
  assertEquals(layOut(...[a, b].flatMap((peer) => [tcp(80), tcp(443, 8443)].map((port) => ({ peer, port })))), {
    in_0_0: ["jump source_a", "jump source_b"],
    in_0: ["tcp dport 80 jump in_0_0", "tcp dport 443 jump in_0_0", "tcp dport 8443 jump in_0_0"],
  });
});

Deno.test("layOutChain() makes no chain for one peer, for peers of every port, and for ports of everybody", () => {
  assertEquals(layOut({ peer: set("a"), port: tcp(80) }), { in_0: ["tcp dport 80 jump source_a"] });
  assertEquals(layOut({ peer: set("a") }, { peer: set("b") }), { in_0: ["jump source_a", "jump source_b"] });
  assertEquals(layOut({ port: tcp(80) }, {}), { in_0: ["tcp dport 80 accept", "accept"] });
  assertEquals(layOut(), { in_0: [] });
});

Deno.test("layOutChain() lets everybody stand for all peers of the same port, and for those of no other", () => {
  assertEquals(layOut({ peer: set("a"), port: tcp(80) }, { port: tcp(80) }, { peer: set("a"), port: tcp(81) }), {
    in_0: ["tcp dport 80 accept", "tcp dport 81 jump source_a"],
  });
});

Deno.test("layOutChain() writes few ports one by one and many as one list", () => {
  const many = Array.from({ length: 9 }, (_, n) => 80 + 2 * n);
  assertEquals(layOut({ port: tcp(...many.slice(1)) })[NAME]?.length, 8);
  assertEquals(layOut({ port: tcp(...many) })[NAME], [`tcp dport { ${many.join(", ")} } accept`]);
});

Deno.test("layOutChain() looks up ports by destination without regard to peers, and every address of a family without a range", () => {
  const named: PortMatch = { kind: "set", protocol: "tcp", family: 6, set: "ports6_tcp_0" };
  assertEquals(
    Object.fromEntries(layOutChain("out_0", { direction: "egress", rules: [{ port: named }, { port: named }] })),
    {
      out_0: ["jump target_ports6_tcp_0"],
    },
  );
  const all = { family: 4, first: 0n, last: 0xffffffffn } as const;
  assertEquals(layOut({ peer: { kind: "ranges", family: 4, ranges: [all] } }), { in_0: ["meta nfproto ipv4 accept"] });
});
