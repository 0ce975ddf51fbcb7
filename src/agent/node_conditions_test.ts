import { assert, assertEquals } from "@std/assert";
import { type Address, parseAddress } from "../ip/address.ts";
import { CONFIG, prefix } from "./_agent_fixture.ts";
import { judgeNode, type NodeFacts, type PoolUse } from "./node_conditions.ts";
import type { NodeView } from "./node_reconciler.ts";

function address(text: string): Address {
  const parsed = parseAddress(text);
  assert(parsed !== undefined, text);
  return parsed;
}

const PEERS = ["192.0.2.1", "2001:db8:1::1"].map((text) => ({ address: address(text), asn: 65000 }));
const IN_FORCE = { ...CONFIG, bgp: { asn: 65101, peers: PEERS } };
const ACCEPTED = { reason: "Accepted", message: "in force" } as const;
const VIEW: NodeView = {
  resolution: { inForce: IN_FORCE, verdict: ACCEPTED, warnings: [] },
  ...{ advertised: [], anycast: [], bird: { applied: true } },
};
const WELL: NodeFacts = {
  view: VIEW,
  sessions: sessionsOf(true, true),
  policies: { inForce: true, problems: [], failure: undefined },
  pools: [pool("203.0.113.0/24", 3, 253n), pool("2001:db8:f001::/64", 3, (1n << 64n) - 1n)],
  pods: 3,
};

function sessionsOf(...up: boolean[]): NodeFacts["sessions"] {
  const sessions = PEERS.flatMap(({ address: peer }, index) => {
    const established = up[index];
    return established === undefined ? [] : [{ peer, established, state: established ? "Established" : "Active" }];
  });
  return { asked: true, sessions, everEstablished: true };
}

function pool(cidr: string, used: number, usable: bigint): PoolUse {
  return { cidr: prefix(cidr), used, usable };
}

/** `type=status reason: message` of those that are not True. */
function wrong(facts: Partial<NodeFacts>): string[] {
  return judgeNode({ ...WELL, ...facts }).flatMap(({ type, status, reason, message }) =>
    status === "True" ? [] : [`${type}=${status} ${reason}: ${message}`]
  );
}

Deno.test("judgeNode() finds nothing wrong with a node that is well, and says why", () => {
  assertEquals(judgeNode(WELL).map(({ type, status, reason }) => `${type}=${status} ${reason}`), [
    "Ready=True Accepted",
    "BGPEstablished=True Established",
    "PoolsHealthy=True AddressesLeft",
    "PolicyInSync=True InForce",
  ]);
});

Deno.test("judgeNode() says of a NodeConfig that it is invalid, or in force and not wholly in the node", () => {
  const verdict = { reason: "Invalid", message: "spec.cidr4[0]: no" } as const;
  const resolution = { ...VIEW.resolution, verdict };
  assertEquals(wrong({ view: { ...VIEW, resolution } }), ["Ready=False Invalid: spec.cidr4[0]: no"]);
  assertEquals(wrong({ failure: "Cannot set sysctl" }), ["Ready=False NotApplied: Cannot set sysctl"]);
  assertEquals(wrong({ failure: "stale", view: { ...VIEW, resolution } }), ["Ready=False Invalid: spec.cidr4[0]: no"]);
  const warned = { ...VIEW, resolution: { ...VIEW.resolution, warnings: ["AS shared"] } };
  assertEquals(judgeNode({ ...WELL, view: warned })[0]?.message, "in force; warning: AS shared");
});

Deno.test("judgeNode() names the sessions that are down, also one that BIRD does not have, and tells silence from not asked", () => {
  const some = "BGPEstablished=False SessionsDown: 1 of 2 sessions are established; down: 2001:db8:1::1";
  assertEquals(wrong({ sessions: sessionsOf(true, false) }), [some]);
  assertEquals(wrong({ sessions: sessionsOf(true) }), [some]);
  const silent = { asked: true, sessions: undefined, everEstablished: true };
  assertEquals(wrong({ sessions: silent }), ["BGPEstablished=False BirdUnreachable: BIRD does not answer"]);
  assertEquals(wrong({ sessions: { ...silent, asked: false } }), [
    "BGPEstablished=Unknown NotAsked: BIRD has not been asked yet",
  ]);
  const bird = { applied: false, reason: "refused", message: "bird.conf:3:1 syntax error" } as const;
  assertEquals(wrong({ view: { ...VIEW, bird } }), [
    "BGPEstablished=False ConfigurationRefused: bird.conf:3:1 syntax error",
  ]);
  const alone = { ...VIEW, resolution: { ...VIEW.resolution, inForce: CONFIG } };
  assertEquals(wrong({ view: alone }), ["BGPEstablished=False NoPeers: the NodeConfig names no peer"]);
});

Deno.test("judgeNode() judges pools by family: full when all its CIDRs are, nearly when less than a tenth is left", () => {
  const six = pool("2001:db8:f001::/64", 3, (1n << 64n) - 1n);
  const judged = (...pools: PoolUse[]): string[] => wrong({ pools });
  assertEquals(judged(six, pool("10.0.0.0/24", 227, 253n)), []);
  assertEquals(judged(six, pool("10.0.0.0/24", 228, 253n)), [
    "PoolsHealthy=False NearlyExhausted: less than a tenth of the addresses is left in 10.0.0.0/24",
  ]);
  assertEquals(judged(six, pool("10.0.0.0/24", 253, 253n)), [
    "PoolsHealthy=False Exhausted: no address is left in 10.0.0.0/24",
  ]);
  assertEquals(judged(six, pool("10.0.0.0/24", 253, 253n), pool("10.0.1.0/24", 0, 253n)), []);
  assertEquals(judged(six, pool("10.0.0.0/24", 253, 253n), pool("10.0.1.0/30", 1, 1n)), [
    "PoolsHealthy=False Exhausted: no address is left in 10.0.0.0/24, 10.0.1.0/30",
  ]);
  assertEquals(judged(), ["PoolsHealthy=Unknown NoPools: no NodeConfig is in force"]);
});
