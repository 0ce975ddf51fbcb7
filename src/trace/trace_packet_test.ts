import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseAddress } from "../ip/address.ts";
import { type Packet, packetOf } from "./packet.ts";
import { parseRuleset } from "./parse_ruleset.ts";
import { passTable } from "../../tests/oracle/pass_table.ts";
import { renderRule } from "./render_expression.ts";
import { tracePacket } from "./trace_packet.ts";

/** src/policy/testdata/full.nft as nft 1.0.6 lists it; what to_flock00000001 counts is made up. */
const FULL = parseRuleset(Deno.readTextFileSync(new URL("./testdata/full.json", import.meta.url)));
const [POD, OTHER] = ["flock00000001", "flock00000002"] as const;

interface Sent {
  readonly from: string;
  readonly to: string;
  readonly by?: string;
  readonly out?: string;
  readonly protocol?: "tcp" | "udp" | "sctp";
  readonly port?: number;
}

function packet({ from, to, by = "up0", out = POD, protocol = "tcp", port = 80 }: Sent): Packet {
  const [source, destination] = [parseAddress(from), parseAddress(to)];
  if (source === undefined || destination === undefined) throw new Error(`${from} or ${to} is no address`);
  return packetOf({ cameBy: by, leavesBy: out, source, destination, protocol, port, state: "new" });
}

/** @returns outcome and the rules that led there, of each base chain */
function pass(sent: Sent): string[] {
  return passTable(FULL, { hook: "postrouting", packet: packet(sent) }).map(({ chain, outcome, steps }) =>
    `${chain}: ${[...steps.map((each) => `${each.chain} { ${renderRule(each.rule)} }`), outcome].join(", ")}`
  );
}

/** A table of one base chain, `first`, and what is jumped to. */
function tableOf(chains: Readonly<Record<string, readonly unknown[]>>): ReturnType<typeof parseRuleset> {
  const objects = Object.entries(chains).flatMap(([name, rules]) => [
    { chain: { name, ...(name === "first" && { hook: "postrouting", prio: 0, policy: "accept" }) } },
    ...rules.map((expr, handle) => ({ rule: { chain: name, handle, expr } })),
  ]);
  return parseRuleset(JSON.stringify({ nftables: objects }));
}

const ANY = packet({ from: "192.0.2.1", to: "192.0.2.2" });

Deno.test("passTable() names each rule on the way to a verdict, through both base chains in order of priority", () => {
  assertEquals(pass({ from: "198.51.100.7", to: "192.0.2.1" }), [
    "egress: accept",
    [
      "ingress: ingress { oifname vmap @ingress_pods }",
      "to_flock00000001 { jump in_82b3ade9d00cd1642a4d420e }",
      "in_82b3ade9d00cd1642a4d420e { ip saddr 198.51.100.0-198.51.100.63 jump dports_dd5beb85b7fe3e038fa9883e }",
      "dports_dd5beb85b7fe3e038fa9883e { tcp dport 80 accept }",
      "accept",
    ].join(", "),
  ]);
});

Deno.test("passTable() follows named ports, sets of addresses and ports, and both families", () => {
  const accepts = (sent: Sent): boolean => pass(sent).every((text) => text.endsWith("accept"));
  assertEquals(accepts({ from: "192.0.2.9", to: "192.0.2.1", port: 8080 }), true);
  assertEquals(accepts({ from: "192.0.2.10", to: "192.0.2.1", port: 8080 }), false);
  assertEquals(accepts({ from: "2001:db8:f::7", to: "2001:db8::1", port: 8050 }), true);
  assertEquals(accepts({ from: "2001:db8:e::7", to: "2001:db8::1", port: 8050 }), false);
  const out = { from: "192.0.2.1", by: POD, out: "up0" };
  assertEquals(accepts({ ...out, to: "192.0.2.2", port: 5432 }), true);
  assertEquals(accepts({ ...out, to: "192.0.2.2", port: 5433 }), false);
  assertEquals(accepts({ ...out, to: "203.0.113.5", protocol: "udp", port: 9 }), true);
});

Deno.test("passTable() ends with the chain that drops, and says by which rule", () => {
  const [egress, ...others] = pass({ from: "192.0.2.1", to: "192.0.2.2", by: POD, out: OTHER });
  assertEquals(others, []);
  assertStringIncludes(egress ?? "", 'from_flock00000001 { counter name "from_flock00000001" drop }, drop');
});

Deno.test("parseRuleset() reads what counters have counted", () => {
  assertEquals(FULL.counters.get("to_flock00000001"), { packets: 7, bytes: 420 });
});

Deno.test("tracePacket() is undecided at what it does not understand, and says what that is", () => {
  const table = tableOf({ first: [[{ fib: { result: "oif" } }, { drop: null }]] });
  const { outcome, doubt } = tracePacket(table, { chain: "first", packet: ANY });
  assertEquals(outcome, "undecided");
  assertStringIncludes(doubt ?? "", "fib");
  const circle = tableOf({ first: [[{ jump: { target: "a" } }]], a: [[{ jump: { target: "a" } }]] });
  assertEquals(tracePacket(circle, { chain: "first", packet: ANY }).doubt, "chains jump in a circle");
  const gone = tableOf({ first: [[{ jump: { target: "a" } }]] });
  assertEquals(tracePacket(gone, { chain: "first", packet: ANY }).doubt, "chain a is missing");
});

Deno.test("tracePacket() comes back from a jump, and not from a goto", () => {
  const drop = [{ drop: null }];
  const a = [[{ return: null }], drop];
  const outcomeOf = (first: readonly unknown[]): string =>
    tracePacket(tableOf({ first: [first, drop], a }), { chain: "first", packet: ANY }).outcome;
  assertEquals(outcomeOf([{ jump: { target: "a" } }]), "drop");
  assertEquals(outcomeOf([{ goto: { target: "a" } }]), "accept");
});

Deno.test("tracePacket() knows lists, prefixes, what is not, and protocols by number", () => {
  const source = { payload: { protocol: "ip", field: "saddr" } };
  const decide = (match: unknown): string =>
    tracePacket(tableOf({ first: [[{ match }, { drop: null }]] }), { chain: "first", packet: ANY }).outcome;
  const list = { set: ["192.0.2.7", { prefix: { addr: "192.0.2.0", len: 30 } }] };
  assertEquals(decide({ op: "==", left: source, right: list }), "drop");
  assertEquals(decide({ op: "!=", left: source, right: list }), "accept");
  assertEquals(decide({ op: "==", left: { meta: { key: "l4proto" } }, right: 6 }), "drop");
  assertEquals(decide({ op: "==", left: { payload: { protocol: "udp", field: "dport" } }, right: 80 }), "accept");
});

Deno.test("parseRuleset() throws for what nft did not write, and tracePacket() for a chain without a hook", () => {
  assertThrows(() => parseRuleset("{}"), SyntaxError);
  assertThrows(() => tracePacket(FULL, { chain: "to_flock00000001", packet: ANY }), Error, "no such base chain");
});
