import type { Prefix } from "../ip/address.ts";
import type { NodeView } from "./node_reconciler.ts";
import type { PolicyReconciler } from "./policy_reconciler.ts";
import type { SessionView } from "./session_monitor.ts";

/** What is known of the node, and told to the cluster. */
export interface NodeFacts {
  readonly view: NodeView;
  /** Why the node is not wholly what its NodeConfig says; absent: it is. */
  readonly failure?: string | undefined;
  readonly sessions: SessionView;
  readonly policies: Pick<PolicyReconciler, "inForce" | "problems" | "failure">;
  /** One for each CIDR in force. */
  readonly pools: readonly PoolUse[];
  /** How many pods have their addresses. */
  readonly pods: number;
}

/** How much of a node CIDR is in use. */
export interface PoolUse {
  readonly cidr: Prefix;
  readonly used: number;
  readonly usable: bigint;
}

export type ConditionType = "Ready" | "BGPEstablished" | "PoolsHealthy" | "PolicyInSync";

/** What is so on the node, for the status of its NodeConfig. */
export interface NodeCondition {
  readonly type: ConditionType;
  readonly status: "True" | "False" | "Unknown";
  /** One token of a kind's own: Events and tests go by it. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
}

type Verdict = Omit<NodeCondition, "type">;

/** A pool of which less than one in so many addresses is left is nearly exhausted. */
const FEW = 10n;
/** Most policies that are named. */
const MAX_POLICIES = 10;

/** @returns every condition that there is, in the order in which they are shown */
export function judgeNode(facts: NodeFacts): readonly NodeCondition[] {
  return [
    { type: "Ready", ...judgeConfig(facts) },
    { type: "BGPEstablished", ...judgeBgp(facts) },
    { type: "PoolsHealthy", ...judgePools(facts) },
    { type: "PolicyInSync", ...judgePolicies(facts) },
  ];
}

function judgeConfig({ view, failure }: NodeFacts): Verdict {
  const { verdict } = view.resolution;
  const warnings = warningsOf(view);
  if (verdict.reason === "Accepted" && failure !== undefined) return no("NotApplied", failure);
  const warning = warnings.length > 0 ? `; warning: ${warnings.join("; ")}` : "";
  const judge = verdict.reason === "Accepted" ? yes : no;
  return judge(verdict.reason, `${verdict.message}${warning}`);
}

/** @returns what does not keep the NodeConfig from being in force */
export function warningsOf({ resolution, warnings = [] }: NodeView): readonly string[] {
  return [...resolution.warnings, ...warnings];
}

function judgeBgp({ view, sessions: { asked, sessions } }: NodeFacts): Verdict {
  const peers = view.resolution.inForce?.bgp?.peers ?? [];
  if (peers.length === 0) return no("NoPeers", "the NodeConfig names no peer");
  if (!view.bird.applied && view.bird.reason === "refused") return no("ConfigurationRefused", view.bird.message);
  if (!asked) return unknown("NotAsked", "BIRD has not been asked yet");
  if (sessions === undefined) return no("BirdUnreachable", "BIRD does not answer");
  const up = new Set(sessions.filter(({ established }) => established).map(({ peer }) => peer.text));
  const down = peers.map(({ address }) => address.text).filter((text) => !up.has(text));
  const message = `${peers.length - down.length} of ${peers.length} sessions are established`;
  const problems = view.bgpProblems ?? [];
  if (problems.length > 0) return no("NotAsConfigured", `${problems.join("; ")}; ${message}`);
  return down.length === 0 ? yes("Established", message) : no("SessionsDown", `${message}; down: ${down.join(", ")}`);
}

/** By family: a pod takes its address from any CIDR of one. An address that rests is given when no other is left. */
function judgePools({ pools }: NodeFacts): Verdict {
  if (pools.length === 0) return unknown("NoPools", "no NodeConfig is in force");
  const families = [...Map.groupBy(pools, ({ cidr }) => cidr.family).values()];
  const [full, few] = [families.filter((family) => left(family) <= 0n), families.filter(isNearlyFull)];
  if (full.length > 0) return no("Exhausted", `no address is left in ${namesOf(full)}`);
  if (few.length > 0) return no("NearlyExhausted", `less than a tenth of the addresses is left in ${namesOf(few)}`);
  return yes("AddressesLeft", "every family has addresses left");
}

function isNearlyFull(family: readonly PoolUse[]): boolean {
  return left(family) * FEW < family.reduce((sum, { usable }) => sum + usable, 0n);
}

function left(family: readonly PoolUse[]): bigint {
  return family.reduce((sum, { usable, used }) => sum + usable - BigInt(used), 0n);
}

function namesOf(families: readonly (readonly PoolUse[])[]): string {
  return families.flat().map(({ cidr }) => cidr.text).join(", ");
}

function judgePolicies({ policies: { inForce, problems, failure } }: NodeFacts): Verdict {
  if (failure !== undefined) return no("NotWritten", `as they were before what changed last: ${failure}`);
  if (!inForce) return unknown("NotHeard", "the policies have not been listed yet");
  if (problems.length === 0) return yes("InForce", "every NetworkPolicy is in force as it is written");
  const named = problems.slice(0, MAX_POLICIES).map(({ policy: { namespace, name }, reason }) =>
    `${namespace}/${name} (${reason})`
  );
  const more = problems.length > named.length ? `; and ${problems.length - named.length} more` : "";
  return no("SomeFailClosed", `these isolate, and allow nothing: ${named.join(", ")}${more}`);
}

function yes(reason: string, message: string): Verdict {
  return { status: "True", reason, message };
}

function unknown(reason: string, message: string): Verdict {
  return { status: "Unknown", reason, message };
}

function no(reason: string, message: string): Verdict {
  return { status: "False", reason, message };
}
