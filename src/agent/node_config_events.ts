import type { SessionState } from "../bird/bird_driver.ts";
import { wasLost } from "../bird/was_lost.ts";
import type { KubeClient } from "../kube/kube_client.ts";
import { EVENT_REASONS, type ReasonOn } from "./event_reasons.ts";
import { type ConditionType, type NodeCondition, type NodeFacts, warningsOf } from "./node_conditions.ts";
import type { NodeConfigReading } from "./resolve_node_config.ts";

/** Condition's reason -> reason of the Event that tells of it; the others are not worth one, or told of by session. */
const TOLD: ReadonlyMap<string, ReasonOn<"NodeConfig">> = new Map([
  ["Invalid", "InvalidNodeConfig"],
  ["Deleted", "NodeConfigDeleted"],
  ["NotApplied", "NodeConfigNotApplied"],
  ["ConfigurationRefused", "BirdConfigurationRefused"],
  ["BirdUnreachable", "BirdUnreachable"],
  ["NotAsConfigured", "SessionsNotAsConfigured"],
  ["Exhausted", "PoolExhausted"],
  ["NearlyExhausted", "PoolNearlyExhausted"],
  ["NotWritten", "PoliciesNotWritten"],
  ["SomeFailClosed", "PoliciesFailClosed"],
]);

/** What is said when one of these, of which something was told, is well again. */
const WELL_AGAIN: Readonly<Record<ConditionType, ReasonOn<"NodeConfig"> | undefined>> = {
  Ready: "NodeConfigInForce",
  BGPEstablished: undefined,
  PoolsHealthy: "PoolsHealthy",
  PolicyInSync: "PolicyInSync",
};

type Subject = Pick<NodeConfigReading, "name" | "uid">;

interface Told {
  readonly reason: ReasonOn<"NodeConfig">;
  readonly message: string;
  /** As a KubeEvent's: what tells it from others of its reason; absent: the message. */
  readonly series?: string;
}

/** Puts Events on the NodeConfig for what went wrong with it, and what came back: what is as it was is not said again. Never throws. */
export class NodeConfigEvents {
  #uid = "";
  /** condition -> what was last told of it */
  readonly #conditions = new Map<ConditionType, string>();
  /** peer -> its session as it was; none before BIRD was heard */
  readonly #sessions = new Map<string, Pick<SessionState, "established" | "since">>();
  #warnings: readonly string[] = [];

  constructor(private readonly kube: Pick<KubeClient, "recordEvent">) {}

  /** @param subject the NodeConfig as read, or as last in force. One that was made anew is told everything again */
  tell(subject: Subject, { conditions, facts }: { conditions: readonly NodeCondition[]; facts: NodeFacts }): void {
    if (subject.uid !== this.#uid) this.#conditions.clear();
    if (subject.uid !== this.#uid) this.#warnings = [];
    this.#uid = subject.uid;
    const told = [
      ...conditions.flatMap((each) => this.#judge(each)),
      ...this.#newWarnings(warningsOf(facts.view)),
      ...this.#sessionChanges(facts),
    ];
    for (const each of told) this.#record(subject, each);
  }

  /** Tells of something that is over. */
  tellOnce(subject: Subject, told: Told): void {
    this.#record(subject, told);
  }

  #judge({ type, status, reason: why, message }: NodeCondition): Told[] {
    const before = this.#conditions.get(type);
    const reason = TOLD.get(why);
    const now = reason === undefined ? "" : `${reason} ${message}`;
    if (status === "Unknown" || before === now) return [];
    this.#conditions.set(type, now);
    if (reason !== undefined) return [{ reason, message, ...(isSteady(reason) ? {} : { series: type }) }];
    const well = WELL_AGAIN[type];
    return well === undefined || status !== "True" || !before ? [] : [{ reason: well, message, series: type }];
  }

  #newWarnings(warnings: readonly string[]): Told[] {
    const news = warnings.filter((warning) => !this.#warnings.includes(warning));
    this.#warnings = warnings;
    return news.map((message) => ({ reason: "NodeConfigWarning", message }));
  }

  /** While BIRD does not answer that is told, and of its sessions only that they are back. */
  #sessionChanges({ sessions: { asked, sessions }, view }: NodeFacts): Told[] {
    if (sessions === undefined) {
      if (asked) { for (const peer of this.#sessions.keys()) this.#sessions.set(peer, { established: false }); }
      return [];
    }
    const configured = new Set(view.resolution.inForce?.bgp?.peers.map(({ address }) => address.text));
    for (const peer of this.#sessions.keys()) if (!configured.has(peer)) this.#sessions.delete(peer);
    return sessions.filter(({ peer }) => configured.has(peer.text)).flatMap((session): Told[] => {
      const { peer: { text: peer }, established, since } = session;
      const was = this.#sessions.get(peer);
      this.#sessions.set(peer, { established, ...(since === undefined ? {} : { since }) });
      if (was === undefined) return [];
      if (wasLost(was, session)) return [{ reason: "BGPSessionLost", message: describeLoss(session), series: peer }];
      if (was.established === established) return [];
      return [{ reason: "BGPSessionEstablished", message: `The session to ${peer} is established`, series: peer }];
    });
  }

  #record({ name, uid }: Subject, told: Told): void {
    this.kube.recordEvent({
      involved: { apiVersion: "flock.fritzlab.net/v1alpha1", kind: "NodeConfig", name, uid },
      type: EVENT_REASONS[told.reason].type,
      ...told,
    });
  }
}

function describeLoss({ peer, state, established, lastError }: SessionState): string {
  const now = established ? "was lost, and is established again" : `is ${state}`;
  return `The session to ${peer.text} ${now}${lastError ? `: ${lastError}` : ""}`;
}

/** Each way of breaking a rule is an Event of its own: a person wrote it. */
function isSteady(reason: ReasonOn<"NodeConfig">): boolean {
  return reason === "InvalidNodeConfig";
}
