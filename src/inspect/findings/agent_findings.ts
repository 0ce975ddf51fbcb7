/** What is wrong by the agent's own word, and when it does not say any. Pure. */
import type { AgentSnapshot, PodSnapshot, PoolSnapshot, WatchSnapshot } from "../../snapshot/agent_snapshot.ts";
import { type Belief, nameOf } from "../belief.ts";
import type { Finding } from "../report.ts";
import { type Gathered, seen, silenceOf } from "../sources.ts";
import { nodeConfigFindings } from "./node_config_findings.ts";

/** The server sends a bookmark once a minute; a watch that hears nothing for so long, in seconds, is of no use. */
const SILENT_WATCH_S = 120;
/** An ADD that takes longer, in milliseconds, has hung, or its DEL never came. */
const LONG_PENDING_MS = 60_000;
/** What was put back, or failed, is told for so long, in milliseconds. */
const RECENT_MS = 600_000;
/** An agent that starts first makes the node what it should be: for so long, in milliseconds, that is nobody's meddling. */
const SETTLING_MS = 10_000;
/** Most repairs and failures that are told one by one. */
const MAX_RECENT = 3;
/** Part of a pool in use from which on it is worth a word. */
const POOL_TIGHT = 0.9;

/** @param now milliseconds since the epoch */
export function agentFindings(gathered: Gathered, { belief, now }: { belief: Belief; now: number }): Finding[] {
  const agent = seen(gathered.agent);
  if (agent === undefined) return deadAgentFindings(gathered, belief);
  return [
    ...nodeConfigFindings(agent),
    ...agent.watches.flatMap(watchFindings),
    ...birdConfigFindings(agent),
    ...stateFindings(agent),
    ...poolFindings(agent.pools),
    ...policyFindings(agent),
    ...agent.pods.flatMap((pod) => pendingFindings(pod, now)),
    ...anycastFindings(agent.pods),
    ...recentFindings(agent, now),
  ];
}

/** @returns that the agent is silent, if it is, and what is known all the same */
export function deadAgentFindings(gathered: Gathered, { from }: Belief): Finding[] {
  const silence = silenceOf(gathered.agent);
  if (silence === undefined) return [];
  const known = from === "files"
    ? "what follows is from the files that it has left"
    : "it has left no files: of pods nothing is known";
  return [{
    severity: "wrong",
    subject: "agent",
    should: "answer",
    is: `it does not: ${silence}; ${known}`,
    hint:
      "pods run on, DELs work, ADDs wait: look at the agent's container (crictl ps -a --name agent; crictl logs), then at its node's label flock.fritzlab.net/agent",
  }];
}

function stateFindings({ stateFailure }: AgentSnapshot): Finding[] {
  if (stateFailure === undefined) return [];
  return [{
    ...{ severity: "wrong", subject: "state", should: "be on the disk", is: `it is not: ${stateFailure}` },
    hint: "ADDs fail with code 5, DELs work: is /var/lib/flock full, read-only or broken?",
  }];
}

function watchFindings({ resource, scope, synced, ageS, lastError }: WatchSnapshot): Finding[] {
  const isSilent = ageS === undefined || ageS > SILENT_WATCH_S;
  if (lastError === undefined && !isSilent && synced) return [];
  const heard = ageS === undefined ? "never heard of" : `last heard ${Math.round(ageS)} s ago`;
  return [{
    severity: "wrong",
    subject: `API server, ${resource}${scope === "node" ? " of this node" : ""}`,
    should: "be followed",
    is: `${heard}${lastError === undefined ? "" : `: ${lastError}`}`,
    hint: "pods run on with what is known; is the API server up, and can this node reach it?",
  }];
}

function birdConfigFindings({ bird, nodeConfig }: AgentSnapshot): Finding[] {
  if (bird.applied || bird.reason !== "refused" || nodeConfig.inForce === undefined) return [];
  return [{
    severity: "wrong",
    subject: "BIRD's configuration",
    should: "be in force",
    is: `BIRD refuses it: ${bird.message}`,
    hint: "the one before it stays in force; bird -p -c /etc/flock/bird/bird.conf says the same",
  }];
}

/** A full pool is no fault while another one of its family has room. @returns families that are out of addresses, or nearly */
export function poolFindings(pools: readonly PoolSnapshot[]): Finding[] {
  const families = Map.groupBy(pools, ({ family }) => family);
  return [...families.values()].flatMap((own) => familyFindings(own));
}

function familyFindings(pools: readonly PoolSnapshot[]): Finding[] {
  const usable = pools.reduce((sum, pool) => sum + BigInt(pool.usable), 0n);
  const sum = (of: "used" | "resting"): number => pools.reduce((sum, pool) => sum + pool[of], 0);
  const [used, resting] = [sum("used"), sum("resting")];
  const subject = `pool ${pools.map(({ cidr }) => cidr).join(", ")}`;
  const is = `${used} of ${usable} addresses are in use, ${resting} rest`;
  const hint = "add a CIDR to the NodeConfig, or move pods to another node";
  if (BigInt(used) >= usable) return [{ severity: "wrong", subject, should: "have free addresses", is, hint }];
  const isTight = used + resting >= POOL_TIGHT * Number(usable);
  return isTight ? [{ severity: "notice", subject, should: "", is, hint }] : [];
}

/** @returns which policies are not in force as they are written, and why */
export function policyFindings({ policy, nodeConfig }: AgentSnapshot): Finding[] {
  const { inForce, failure, problems } = policy;
  const subject = "NetworkPolicies";
  const should = "all be in force";
  const late: Finding[] = failure !== undefined
    ? [{ severity: "wrong", subject, should, is: `the kernel has them as they were: ${failure}`, hint: "see the log" }]
    : inForce || nodeConfig.inForce === undefined
    ? []
    : [{ severity: "wrong", subject, should, is: "they have not been listed yet", hint: "is the API server up?" }];
  return [
    ...late,
    ...problems.map(({ namespace, name, reason, message }): Finding => ({
      ...{ severity: "wrong", subject: `NetworkPolicy ${namespace}/${name}`, should: "be in force as it is written" },
      is: `it isolates what it selects, and allows nothing (${reason}): ${message}`,
      hint: `kubectl describe networkpolicy -n ${namespace} ${name}`,
    })),
  ];
}

function pendingFindings(pod: PodSnapshot, now: number): Finding[] {
  const age = now - Date.parse(pod.since);
  if (pod.state === "committed" || age < LONG_PENDING_MS) return [];
  return [{
    severity: "wrong",
    subject: `pod ${nameOf(pod)}`,
    should: "be added within seconds",
    is: `its ADD is pending for ${Math.round(age / 1000)} s`,
    hint: `see the agent's log for container ${pod.containerId.slice(0, 12)}`,
  }];
}

const UNHEARD = "no router hears of it: flock inspect bgp";
/** What to do about the reasons that are not the pod's readiness. */
const ANYCAST_HINTS: Readonly<Record<string, string>> = {
  birdUnreachable: UNHEARD,
  birdRefused: UNHEARD,
  noPeer: UNHEARD,
  noSession: UNHEARD,
  pending: "its ADD is not done, or spec.bgp.maxAnnounced leaves it out",
  noUnicast: "the pod has no address of that family: flock inspect pod NS/NAME",
  noRoute: "its link is down, or the kernel refuses the route: flock inspect pod NS/NAME",
};

/** @param reason why an address is not advertised. @returns what to do */
export function anycastHint(reason = ""): string {
  return ANYCAST_HINTS[reason] ?? "kubectl describe pod: why is it not Ready?";
}

/** One that another pod of the node serves is not missed: its own pods come and go. */
export function anycastFindings(pods: readonly PodSnapshot[]): Finding[] {
  const claims = pods.flatMap((pod) => pod.anycast.map((each) => ({ pod, ...each })));
  return [...Map.groupBy(claims, ({ address }) => address)].flatMap(([address, claimants]): Finding[] => {
    if (claimants.some(({ advertised }) => advertised)) return [];
    const why = claimants.map(({ pod, reason = "unknown" }) => `${nameOf(pod)} ${reason}`).join(", ");
    return [{
      severity: "wrong",
      subject: `anycast ${address}`,
      should: "be advertised while a pod of this node is Ready",
      is: `it is not: ${why}`,
      hint: anycastHint(claimants.find(({ reason = "" }) => reason in ANYCAST_HINTS)?.reason),
    }];
  });
}

function recentFindings({ repairs, failures, startedAt }: AgentSnapshot, now: number): Finding[] {
  const settled = Date.parse(startedAt) + SETTLING_MS;

  const told = (what: readonly { at: string; what: string }[], subject: string, hint: string): Finding[] => {
    const recent = what.filter(({ at }) => now - Date.parse(at) < RECENT_MS).toReversed();
    const shown = recent.slice(0, MAX_RECENT).map(({ at, what }) => `${ageOf(at, now)} ago ${what}`);
    const more = recent.length > shown.length ? `; and ${recent.length - shown.length} more` : "";
    return shown.length === 0
      ? []
      : [{ severity: "notice", subject, should: "", is: `${shown.join("; ")}${more}`, hint }];
  };
  return [
    ...told(
      repairs.filter(({ at }) => Date.parse(at) > settled),
      "put back",
      "somebody else changes what is flock's: who?",
    ),
    ...told(failures, "failed", "the agent's log has the rest"),
  ];
}

/** @returns how long ago, for a reader: `42s`, `13m`, `5h`, `3d` */
export function ageOf(at: string, now: number): string {
  const s = Math.max(0, Math.round((now - Date.parse(at)) / 1000));
  if (s < 120) return `${s}s`;
  if (s < 7200) return `${Math.round(s / 60)}m`;
  return s < 172_800 ? `${Math.round(s / 3600)}h` : `${Math.round(s / 86_400)}d`;
}
