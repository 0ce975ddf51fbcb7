import type { SessionState } from "../bird/bird_driver.ts";
import { hostPrefix } from "../ip/address.ts";
import type { Clock } from "../clock/clock.ts";
import type { KubeClient, KubeObject } from "../kube/kube_client.ts";
import type { Logger } from "../log/logger.ts";
import type { ConditionSnapshot } from "../snapshot/agent_snapshot.ts";
import type { NodeConfigReading, Verdict } from "./resolve_node_config.ts";
import type { NodeView } from "./node_reconciler.ts";
import type { PolicyReconciler } from "./policy_reconciler.ts";
import type { SessionView } from "./session_monitor.ts";

/** A status condition as the API has it (meta/v1 Condition). */
interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration: number;
}

export interface StatusReporterDependencies {
  readonly nodeName: string;
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the status is made of. */
export interface NodeFacts {
  readonly view: NodeView;
  readonly sessions: SessionView;
  readonly policies: Pick<PolicyReconciler, "inForce" | "problems" | "failure">;
}

/** Tells the cluster how the node is: NodeConfig status and Events, and the Node's NetworkUnavailable condition. */
export class StatusReporter {
  /** The object (a NodeConfig made anew has an empty status) and the status last written to it; times change only with a transition. */
  #written = "";
  /** condition type -> status and since when */
  readonly #transitions = new Map<string, { status: string; since: string }>();
  #eventVerdict = "";
  #conditionsNow: readonly Condition[] = [];

  constructor(private readonly deps: StatusReporterDependencies) {}

  /** As decided last, written or not. */
  get conditions(): readonly ConditionSnapshot[] {
    return this.#conditionsNow.map(({ lastTransitionTime: since, observedGeneration: _, ...rest }) => ({
      ...rest,
      since,
    }));
  }

  /** Writes the NodeConfig's status if it says something new. @throws KubeError */
  async reportNodeConfig(reading: NodeConfigReading, facts: NodeFacts): Promise<void> {
    this.#recordEvents(reading, facts.view);
    const conditions = this.#conditionsNow = this.#conditions(reading, facts);
    const advertised = listedPrefixes(facts.view);
    const anycast = anycastStatus(facts.view);
    const peers = facts.sessions.sessions?.map(peerStatus) ?? [];
    const status = { observedGeneration: reading.generation, conditions, peers, advertised, anycast };
    const text = JSON.stringify([reading.uid, status]);
    if (text === this.#written) return;
    const path = `/apis/flock.fritzlab.net/v1alpha1/nodeconfigs/${this.deps.nodeName}`;
    await this.deps.kube.patchStatus(path, { status }, "merge");
    this.#written = text;
  }

  /** Says that the node's network is up, so that the scheduler may use it. Written anew each time: the time is a heartbeat. @throws KubeError */
  async reportNode(): Promise<void> {
    const lastTransitionTime = this.#since("NetworkUnavailable", "False");
    const condition = {
      type: "NetworkUnavailable",
      status: "False",
      reason: "FlockReady",
      message: "flock serves pods on this node",
      lastHeartbeatTime: this.#now(),
      lastTransitionTime,
    };
    await this.deps.kube.patchStatus(`/api/v1/nodes/${this.deps.nodeName}`, nodeStatus(condition), "strategic");
  }

  #conditions(
    { generation }: NodeConfigReading,
    { view, sessions, policies }: NodeFacts,
  ): Condition[] {
    const { verdict, warnings } = view.resolution;
    const condition = (type: string, holds: boolean, reason: string, message: string): Condition => {
      const status = holds ? "True" : "False";
      return {
        type,
        status,
        reason,
        message,
        lastTransitionTime: this.#since(type, status),
        observedGeneration: generation,
      };
    };
    const warning = warnings.length > 0 ? `; warning: ${warnings.join("; ")}` : "";
    const [bgp, enforced] = [bgpVerdict(view, sessions), policyVerdict(policies)];
    return [
      condition("Ready", verdict.reason === "Accepted", verdict.reason, `${verdict.message}${warning}`),
      condition("BGPEstablished", bgp.holds, bgp.reason, bgp.message),
      condition("PoliciesInForce", enforced.holds, enforced.reason, enforced.message),
    ];
  }

  #recordEvents({ name, uid }: NodeConfigReading, { resolution: { verdict, warnings } }: NodeView): void {
    const seen = JSON.stringify([uid, verdict, warnings]);
    if (seen === this.#eventVerdict) return;
    this.#eventVerdict = seen;
    const involved = { apiVersion: "flock.fritzlab.net/v1alpha1", kind: "NodeConfig", name, uid };
    const warn = (reason: string, message: string): void =>
      this.deps.kube.recordEvent({ involved, type: "Warning", reason, message });
    if (verdict.reason === "Invalid") warn("InvalidNodeConfig", verdict.message);
    for (const warning of warnings) warn("NodeConfigWarning", warning);
  }

  #since(type: string, status: string): string {
    const known = this.#transitions.get(type);
    if (known?.status === status) return known.since;
    const since = this.#now();
    this.#transitions.set(type, { status, since });
    return since;
  }

  #now(): string {
    return `${new Date(this.deps.clock.wall()).toISOString().slice(0, 19)}Z`;
  }
}

/** The verdict on a NodeConfig before there is any view of the node: nothing is in force. */
export function viewWithoutConfig(resolution: NodeView["resolution"]): NodeView {
  return {
    resolution,
    advertised: [],
    anycast: [],
    bird: { applied: false, reason: "unreachable", message: "not configured" },
  };
}

interface Holds {
  readonly holds: boolean;
  readonly reason: string;
  readonly message: string;
}

/** Most policies that are named. */
const MAX_POLICIES = 10;

function policyVerdict({ inForce, problems, failure }: NodeFacts["policies"]): Holds {
  if (failure !== undefined) {
    return { holds: false, reason: "NotWritten", message: `as they were before what changed last: ${failure}` };
  }
  if (!inForce) return { holds: false, reason: "NotHeard", message: "the policies have not been listed yet" };
  const count = problems.length;
  if (count === 0) {
    return { holds: true, reason: "InForce", message: "every NetworkPolicy is in force as it is written" };
  }
  const named = problems.slice(0, MAX_POLICIES).map(({ policy: { namespace, name }, reason }) =>
    `${namespace}/${name} (${reason})`
  );
  const more = count > named.length ? `; and ${count - named.length} more` : "";
  return {
    holds: false,
    reason: "SomeFailClosed",
    message: `these isolate, and allow nothing: ${named.join(", ")}${more}`,
  };
}

function bgpVerdict(view: NodeView, { sessions }: SessionView): Holds {
  const configured = view.resolution.inForce?.bgp?.peers.length ?? 0;
  if (configured === 0) return { holds: false, reason: "NoPeers", message: "the NodeConfig names no peer" };
  if (!view.bird.applied && view.bird.reason === "refused") {
    return { holds: false, reason: "ConfigurationRefused", message: view.bird.message };
  }
  if (sessions === undefined) return { holds: false, reason: "BirdUnreachable", message: "BIRD does not answer" };
  const up = sessions.filter(({ established }) => established).length;
  const message = `${up} of ${configured} sessions are established`;
  return { holds: up === configured, reason: up === configured ? "Established" : "SessionsDown", message };
}

function peerStatus({ peer, state, since, lastError }: SessionState): KubeObject {
  return { address: peer.text, state, ...(since && { since }), ...(lastError && { lastError }) };
}

/** Most prefixes that are listed; the schema allows no more. */
const MAX_PREFIXES = 4096;

/** The aggregates come first: other nodes' guards go by them. */
function listedPrefixes({ advertised, resolution: { inForce } }: NodeView): readonly string[] {
  if (advertised.length <= MAX_PREFIXES) return advertised;
  const aggregates = new Set([...inForce?.cidr6 ?? [], ...inForce?.cidr4 ?? []].map(({ text }) => text));
  const others = advertised.filter((text) => !aggregates.has(text));
  return [...advertised.filter((text) => aggregates.has(text)), ...others].slice(0, MAX_PREFIXES);
}

/** Most anycast addresses that are listed. */
const MAX_ADDRESSES = 1024;
/** Most pods that are listed of one address; the schema allows no more. */
const MAX_LISTED = 128;

/** Each anycast address with the pods of this node that serve it, and those that do not and why. */
function anycastStatus({ anycast, advertised }: NodeView): KubeObject[] {
  const told = new Set(advertised);
  return [...Map.groupBy(anycast, ({ address }) => address.text)].slice(0, MAX_ADDRESSES).map((
    [address, decisions],
  ) => ({
    address,
    advertised: decisions.some(({ address }) => told.has(hostPrefix(address).text)),
    pods: decisions.filter(({ serves }) => serves).map(({ owner }) => owner).slice(0, MAX_LISTED),
    waiting: decisions.flatMap((each) => each.serves ? [] : [{ pod: each.owner, reason: each.reason }]).slice(
      0,
      MAX_LISTED,
    ),
  }));
}

function nodeStatus(condition: KubeObject): KubeObject {
  return { status: { conditions: [condition] } };
}

/** The verdicts that a NodeConfig's status can show; a missing or deleted one has no status to write to. */
export function isReportable(verdict: Verdict): boolean {
  return verdict.reason === "Accepted" || verdict.reason === "Invalid";
}
