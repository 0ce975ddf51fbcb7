import { assertEquals } from "@std/assert";
import { type BirdReply, ReplyReader } from "./bird_reply.ts";
import { parseChannels } from "./parse_channels.ts";
import { parseRoutes } from "./parse_routes.ts";

/** As BIRD 2.0.12 wrote it; the last answer of what it says. */
function replyOf(...lines: readonly string[]): BirdReply {
  const [reply] = new ReplyReader().push(new TextEncoder().encode(`${lines.join("\n")}\n0000 \n`));
  if (reply === undefined) throw new Error("no answer");
  return reply;
}

Deno.test("parseRoutes() reads prefix, protocol and which is best, from the socket and as birdc indents it", () => {
  const lines = [
    "198.51.100.8/32      blackhole [hosts4 22:13:14.729] * (200)",
    "                     unicast [peer4_c0000201 22:13:15.000] (100) [AS65000i]",
    "\tvia 192.0.2.1 on up0",
    "",
    "Table master6:",
    "2001:db8:f001::/64   blackhole [aggregates6 22:13:14.729] * (200)",
  ];
  const expected = [
    "198.51.100.8/32 hosts4 true",
    "198.51.100.8/32 peer4_c0000201 false",
    "2001:db8:f001::/64 aggregates6 true",
  ];
  for (const indent of [" ", "     "]) {
    const reply = replyOf("1007-Table master4:", ...lines.map((line) => `${indent}${line}`));
    assertEquals(
      parseRoutes(reply).map(({ prefix, protocol, best }) => `${prefix.text} ${protocol} ${best}`),
      expected,
    );
  }
});

Deno.test("parseChannels() reads what a session carries, and of one that is down that it carries nothing", () => {
  const reply = replyOf(
    "2002-Name       Proto      Table      State  Since         Info",
    "1002-peer4_c0000201 BGP        ---        up     2026-11-21T22:13:14+0000  Established   ",
    "1006-  BGP state:          Established",
    "     Neighbor address: 192.0.2.1",
    "   Channel ipv4",
    "     Routes:         12 imported, 3 filtered, 4 exported, 11 preferred",
    "1002-peer6_20010db8000100000000000000000001 BGP        ---        start  2026-11-21T22:13:14+0000  Idle          ",
    "1006-  BGP state:          Idle",
    "     Neighbor address: 2001:db8:1::1",
    "1002-hosts6     Static     master6    up     2026-11-21T22:13:14+0000  ",
    "1006-  Channel ipv6",
    "     Routes:         1 imported, 0 exported, 1 preferred",
  );
  assertEquals(parseChannels(reply).map(({ peer, ...rest }) => ({ ...rest, peer: peer.text })), [
    { protocol: "peer4_c0000201", established: true, imported: 12, exported: 4, peer: "192.0.2.1" },
    {
      protocol: "peer6_20010db8000100000000000000000001",
      established: false,
      peer: "2001:db8:1::1",
    },
  ]);
});
