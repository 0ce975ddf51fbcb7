import { assertEquals } from "@std/assert";
import { parseAddress } from "../ip/address.ts";
import { CONFIG, TestKube } from "./_agent_fixture.ts";
import { judgeNode, type NodeFacts } from "./node_conditions.ts";
import { NodeConfigEvents } from "./node_config_events.ts";
import type { Verdict } from "./resolve_node_config.ts";

const PEERS = ["192.0.2.1", "2001:db8:1::1"].flatMap((text) => parseAddress(text) ?? []);
const IN_FORCE = { ...CONFIG, bgp: { asn: 65101, peers: PEERS.map((address) => ({ address, asn: 65000 })) } };
const SUBJECT = { name: "node-a", uid: "u1" };

/** What a test changes of a node that is well. */
interface Change {
  readonly verdict?: Verdict;
  readonly warnings?: readonly string[];
  readonly sessions?: readonly boolean[] | "silent" | "not asked";
  /** Of the first peer's session. */
  readonly since?: string;
  readonly used?: number;
  readonly policies?: Partial<NodeFacts["policies"]>;
  readonly failure?: string;
  readonly refused?: string;
}

function factsOf(change: Change): NodeFacts {
  const { verdict = { reason: "Accepted", message: "in force" }, warnings = [], sessions = [true, true] } = change;
  const known = typeof sessions === "string" ? undefined : PEERS.map((peer, index) => {
    const established = sessions[index] === true;
    return {
      peer,
      established,
      state: established ? "Established" : "Active",
      lastError: established ? "" : "Hold timer",
      ...(index === 0 && change.since !== undefined ? { since: change.since } : {}),
    };
  });
  const bird = change.refused === undefined
    ? { applied: true } as const
    : { applied: false, reason: "refused", message: change.refused } as const;
  return {
    view: { resolution: { inForce: IN_FORCE, verdict, warnings }, advertised: [], anycast: [], bird },
    failure: change.failure,
    sessions: { asked: sessions !== "not asked", sessions: known, everEstablished: true },
    policies: { inForce: true, problems: [], failure: undefined, ...change.policies },
    pools: IN_FORCE.cidr4.map((cidr) => ({ cidr, used: change.used ?? 1, usable: 20n })),
    pods: 1,
  };
}

/** Says of each state in turn which Events it led to. */
function play(...changes: Change[]): string[][] {
  const kube = new TestKube();
  const events = new NodeConfigEvents(kube);
  return changes.map((change) => {
    const facts = factsOf(change);
    events.tell(SUBJECT, { conditions: judgeNode(facts), facts });
    return kube.events.splice(0).map(({ type, reason, message }) => `${type} ${reason}: ${message}`);
  });
}

Deno.test("a lost session and its return are Events of their peer, one for each change, and none at the agent's start", () => {
  const up = "Normal BGPSessionEstablished: The session to 192.0.2.1 is established";
  const down = "Warning BGPSessionLost: The session to 192.0.2.1 is Active: Hold timer";
  const [well, lost] = [{ sessions: [true, true] }, { sessions: [false, true] }];
  const told = play({ sessions: "not asked" }, well, lost, lost, well, well, lost);
  assertEquals(told, [[], [], [down], [], [up], [], [down]]);
  assertEquals(play(lost, well), [[], [up]]);
});

Deno.test("a session that was lost and came back between two looks is told of as lost", () => {
  const told = play({ since: "10:00:00" }, { since: "10:00:00" }, { since: "10:00:07" });
  const message = "The session to 192.0.2.1 was lost, and is established again";
  assertEquals(told, [[], [], [`Warning BGPSessionLost: ${message}`]]);
});

Deno.test("each peer's session is a series of its own: one that flaps makes no more Events than one that falls once", () => {
  const kube = new TestKube();
  const events = new NodeConfigEvents(kube);
  for (let index = 0; index < 20; index++) {
    const facts = factsOf({ sessions: [index % 2 === 0, index % 3 === 0] });
    events.tell(SUBJECT, { conditions: judgeNode(facts), facts });
  }
  const series = new Set(kube.events.map((event) => `${event.reason} ${event.series}`));
  assertEquals([...series].sort(), [
    "BGPSessionEstablished 192.0.2.1",
    "BGPSessionEstablished 2001:db8:1::1",
    "BGPSessionLost 192.0.2.1",
    "BGPSessionLost 2001:db8:1::1",
  ]);
});

Deno.test("a BIRD that does not answer is told once, and then which sessions are back", () => {
  const told = play({}, { sessions: "silent" }, { sessions: "silent" }, { sessions: [false, false] }, {});
  assertEquals(told.map((each) => each.map((text) => text.slice(0, text.indexOf(":")))), [
    [],
    ["Warning BirdUnreachable"],
    [],
    [],
    ["Normal BGPSessionEstablished", "Normal BGPSessionEstablished"],
  ]);
});

Deno.test("every rejected change is an Event, and so is its end", () => {
  const invalid = { verdict: { reason: "Invalid", message: "spec.mtu: no" } } as const;
  const deleted = { verdict: { reason: "Deleted", message: "gone" } } as const;
  const again = "Normal NodeConfigInForce: in force";
  assertEquals(play({}, invalid, invalid, {}, deleted, {}), [
    [],
    ["Warning InvalidNodeConfig: spec.mtu: no"],
    [],
    [again],
    ["Warning NodeConfigDeleted: gone"],
    [again],
  ]);
  assertEquals(play({ failure: "no sysctl" }, {}), [["Warning NodeConfigNotApplied: no sysctl"], [again]]);
  assertEquals(play({ refused: "line 3" }, { refused: "line 4" }), [
    ["Warning BirdConfigurationRefused: line 3"],
    ["Warning BirdConfigurationRefused: line 4"],
  ]);
  assertEquals(play({ warnings: ["AS shared"] }, { warnings: ["AS shared", "other"] }, {}), [
    ["Warning NodeConfigWarning: AS shared"],
    ["Warning NodeConfigWarning: other"],
    [],
  ]);
});

Deno.test("pools that fill up and policies that fail closed are Events when that begins, changes and ends", () => {
  const reasons = (...changes: Change[]): string[] => play(...changes).flat().map((text) => text.split(":")[0] ?? "");
  assertEquals(reasons({}, { used: 19 }, { used: 19 }, { used: 20 }, { used: 3 }, {}), [
    "Warning PoolNearlyExhausted",
    "Warning PoolExhausted",
    "Normal PoolsHealthy",
  ]);
  const problem = { policy: { namespace: "ns", name: "bad" }, reason: "PolicyQuarantined", state: "no" } as const;
  const [closed, failed] = [{ policies: { problems: [problem] } }, { policies: { failure: "nft died" } }];
  assertEquals(reasons({ policies: { inForce: false } }, {}, closed, failed, { policies: { inForce: false } }, {}), [
    "Warning PoliciesFailClosed",
    "Warning PoliciesNotWritten",
    "Normal PolicyInSync",
  ]);
});

Deno.test("an identical NodeConfig that is made anew is told of what is still wrong", () => {
  const kube = new TestKube();
  const events = new NodeConfigEvents(kube);
  const facts = factsOf({ used: 20, warnings: ["AS shared"] });
  for (const uid of ["u1", "u1", "u2"]) events.tell({ name: "node-a", uid }, { conditions: judgeNode(facts), facts });
  assertEquals(kube.events.map(({ involved, reason }) => `${involved.uid} ${reason}`), [
    "u1 PoolExhausted",
    "u1 NodeConfigWarning",
    "u2 PoolExhausted",
    "u2 NodeConfigWarning",
  ]);
});
