import type { Clock } from "../clock/clock.ts";
import type { KubeClient, KubeObject } from "../kube/kube_client.ts";
import type { Logger } from "../log/logger.ts";
import type { ConditionSnapshot } from "../snapshot/agent_snapshot.ts";
import { judgeNode, type NodeCondition, type NodeFacts } from "./node_conditions.ts";
import { NodeConfigEvents } from "./node_config_events.ts";
import { countsOf, steadyStatus } from "./node_config_status.ts";
import type { JudgedNodeConfig, NodeView } from "./node_reconciler.ts";
import type { ConditionTransition, NodeConfigReading, Verdict } from "./resolve_node_config.ts";

/** Numbers alone are written at most once in this time, in milliseconds: all agents of the cluster hear of each write. */
export const COUNTS_MS = 10_000;
/** So long after its start an agent that still lacks an answer says so, in milliseconds. */
const START_MS = 9_000;

const SERVES = "flock serves pods on this node";

/** A status condition as the API has it (meta/v1 Condition). */
interface Condition extends NodeCondition {
  readonly lastTransitionTime: string;
  readonly observedGeneration: number;
}

export interface StatusReporterDependencies {
  readonly nodeName: string;
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Tells the cluster how the node is: NodeConfig status and Events, and the Node's NetworkUnavailable condition. */
export class StatusReporter {
  /** The object (a NodeConfig made anew has an empty status) and the status last written to it; times change only with a transition. */
  #written = { text: "", numbers: "", at: -Infinity };
  /** condition type -> status and since when */
  readonly #transitions = new Map<string, Pick<ConditionTransition, "status" | "since">>();
  readonly #events: NodeConfigEvents;
  readonly #startedAt: number;
  /** The NodeConfig that was spoken of last. */
  #subject: Pick<NodeConfigReading, "name" | "uid"> | undefined;
  #conditionsNow: readonly Condition[] = [];

  constructor(private readonly deps: StatusReporterDependencies) {
    this.#events = new NodeConfigEvents(deps.kube);
    this.#startedAt = deps.clock.monotonic();
  }

  /** As decided last, written or not. */
  get conditions(): readonly ConditionSnapshot[] {
    return this.#conditionsNow.map(({ lastTransitionTime: since, observedGeneration: _, ...rest }) => ({
      ...rest,
      since,
    }));
  }

  /**
   * Tells what has changed: by Events, and by the NodeConfig's status if it has one (it is there, and this process has heard of it).
   * Numbers that change with every pod are written with whatever else is new, and alone every ten seconds.
   *
   * @throws KubeError
   */
  async reportNodeConfig({ reading, resolution }: JudgedNodeConfig, facts: NodeFacts): Promise<void> {
    const conditions = judgeNode(facts);
    this.#subject = reading ?? resolution.inForce ?? this.#subject;
    if (this.#subject !== undefined) this.#events.tell(this.#subject, { conditions, facts });
    if (reading === undefined || !isReportable(resolution.verdict)) return;
    if (this.#isNew() && conditions.some(({ status }) => status === "Unknown")) return;
    this.#conditionsNow = conditions.map((each) => this.#condition(each, reading));
    const steady = { observedGeneration: reading.generation, conditions: this.#conditionsNow, ...steadyStatus(facts) };
    await this.#write(reading.uid, { steady, counts: countsOf(facts) });
  }

  /** What an agent that has just started does not know yet is no transition: the one before it knew. */
  #isNew(): boolean {
    return this.deps.clock.monotonic() - this.#startedAt < START_MS;
  }

  async #write(uid: string, { steady, counts }: { steady: KubeObject; counts: KubeObject }): Promise<void> {
    const { kube, clock, nodeName } = this.deps;
    const [text, numbers] = [JSON.stringify([uid, steady]), JSON.stringify(counts)];
    const isSteady = text === this.#written.text;
    if (isSteady && numbers === this.#written.numbers) return;
    if (isSteady && clock.monotonic() - this.#written.at < COUNTS_MS) return;
    const path = `/apis/flock.fritzlab.net/v1alpha1/nodeconfigs/${nodeName}`;
    await kube.patchStatus(path, { status: { ...steady, ...counts } }, "merge");
    this.#written = { text, numbers, at: clock.monotonic() };
  }

  /** Tells of an outage of the API server that is over. */
  tellOutage(message: string): void {
    if (this.#subject === undefined) return;
    this.#events.tellOnce(this.#subject, { reason: "APIServerUnreachable", message, series: "" });
  }

  /** Tells of what others changed and was put back. */
  tellRepairs(message: string): void {
    if (this.#subject === undefined) return;
    this.#events.tellOnce(this.#subject, { reason: "Repaired", message });
  }

  /**
   * Says that the node's network is up, so that the scheduler may use it. Written anew each time: the time is a heartbeat. A NodeConfig
   * that was deleted has no status to say so, but the Node has.
   *
   * @throws KubeError
   */
  async reportNode(verdict: Verdict | undefined): Promise<void> {
    const lastTransitionTime = this.#since("NetworkUnavailable", "False");
    const condition = {
      type: "NetworkUnavailable",
      status: "False",
      reason: "FlockReady",
      message: verdict?.reason === "Deleted" ? `${SERVES}: ${verdict.message}` : SERVES,
      lastHeartbeatTime: this.#now(),
      lastTransitionTime,
    };
    await this.deps.kube.patchStatus(`/api/v1/nodes/${this.deps.nodeName}`, nodeStatus(condition), "strategic");
  }

  #condition(condition: NodeCondition, { generation, transitions }: NodeConfigReading): Condition {
    const { type, status } = condition;
    const before = transitions?.find((each) => each.type === type);
    return { ...condition, lastTransitionTime: this.#since(type, status, before), observedGeneration: generation };
  }

  /** @param before what the API server had when this process began */
  #since(type: string, status: string, before?: ConditionTransition): string {
    const known = this.#transitions.get(type) ?? before;
    if (known?.status === status) {
      this.#transitions.set(type, known);
      return known.since;
    }
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

function nodeStatus(condition: KubeObject): KubeObject {
  return { status: { conditions: [condition] } };
}

/** The verdicts that a NodeConfig's status can show; a missing or deleted one has no status to write to. */
function isReportable(verdict: Verdict): boolean {
  return verdict.reason === "Accepted" || verdict.reason === "Invalid";
}
