import config from "../../deno.json" with { type: "json" };
import type { AnycastDecision } from "../anycast/resolve_anycast.ts";
import type { Clock } from "../clock/clock.ts";
import { type Address, contains, hostPrefix, parseAddress, type Prefix } from "../ip/address.ts";
import type { Allocation } from "../ipam/allocation.ts";
import type { Ipam } from "../ipam/ipam.ts";
import type { Watched } from "../kube/kube_client.ts";
import { inForceOf } from "../nodeconfig/in_force_of.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import type { Pod } from "../pod/pod.ts";
import { directionsOf } from "../policy/render_policy_table.ts";
import {
  type AgentSnapshot,
  type AnycastSnapshot,
  type BirdSnapshot,
  type ConditionSnapshot,
  type NodeConfigSnapshot,
  type PodSnapshot,
  type PolicySnapshot,
  type PoolSnapshot,
  type Remembered,
  type RequestSnapshot,
  SNAPSHOT_VERSION,
  type WatchSnapshot,
} from "../snapshot/agent_snapshot.ts";
import { addressesOf, anycastOf } from "./allocation_addresses.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import type { Journal, JournalEntry } from "./journal.ts";
import type { LastRequests, RequestRecord } from "./last_requests.ts";
import type { NodeReconciler, NodeView } from "./node_reconciler.ts";
import { podOf } from "./pod_of.ts";
import type { PolicyReconciler } from "./policy_reconciler.ts";
import type { PolicySources } from "./policy_sources.ts";
import type { SessionMonitor, SessionView } from "./session_monitor.ts";
import type { StateMeter } from "./state_meter.ts";
import { unheardReason } from "./unheard_reason.ts";
import type { BookedWatch, WatchBook } from "./watch_book.ts";

export interface SnapshotSources {
  readonly nodeName: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly startedAt: number;
  readonly ledger: Pick<AllocationLedger, "all">;
  readonly ipam: Pick<Ipam, "usage" | "resting">;
  /** The pods of this node. */
  readonly pods: Pick<Watched<Pod>, "items">;
  readonly reconciler: Pick<NodeReconciler, "view" | "resolution" | "judged">;
  readonly sessions: Pick<SessionMonitor, "view">;
  readonly policies: Pick<PolicyReconciler, "inForce" | "problems" | "failure" | "table">;
  readonly sources: Pick<PolicySources, "policies">;
  readonly reporter: { readonly conditions: readonly ConditionSnapshot[] };
  readonly watches: Pick<WatchBook, "open">;
  readonly state: Pick<StateMeter, "lastFailure">;
  readonly journal: Pick<Journal, "repairs" | "failures">;
  readonly lastRequests: Pick<LastRequests, "lastOf">;
  readonly clock: Clock;
}

/** @returns all that the agent knows, for `flock inspect`. From memory: no process, no disk, no API server */
export function takeSnapshot(from: SnapshotSources): AgentSnapshot {
  const { nodeName, startedAt, reconciler, sessions, clock } = from;
  const { view } = reconciler;
  const inForce = reconciler.resolution?.inForce;
  const known = sessions.view.sessions;
  const { lastFailure: stateFailure } = from.state;
  return {
    version: SNAPSHOT_VERSION,
    at: timeOf(clock.wall()),
    node: nodeName,
    agentVersion: config.version,
    startedAt: timeOf(startedAt),
    nodeConfig: nodeConfigOf(from),
    conditions: from.reporter.conditions,
    pods: from.ledger.all().map((each) =>
      podSnapshot(each, { pods: from.pods.items, view, sessions: sessions.view, lastRequests: from.lastRequests })
    ),
    pools: inForce === undefined ? [] : poolsOf(inForce, from.ipam),
    advertised: view?.advertised ?? [],
    bird: birdOf(view),
    ...(known === undefined ? {} : { sessions: known.map(({ peer, ...rest }) => ({ peer: peer.text, ...rest })) }),
    policy: policyOf(from),
    ...(stateFailure === undefined ? {} : { stateFailure }),
    watches: from.watches.open.map((each) => watchSnapshot(each, clock.monotonic())),
    repairs: from.journal.repairs.map(rememberedOf),
    failures: from.journal.failures.map(rememberedOf),
  };
}

function nodeConfigOf(
  { nodeName: name, reconciler: { resolution, judged, view } }: SnapshotSources,
): NodeConfigSnapshot {
  if (resolution === undefined) {
    return { name, reason: "Unheard", message: "the API server has not answered yet", warnings: [] };
  }
  const { inForce, verdict, warnings } = resolution;
  const generation = judged?.reading?.generation;
  return {
    name,
    ...(generation === undefined ? {} : { generation }),
    ...{ reason: verdict.reason, message: verdict.message, warnings: [...warnings, ...view?.warnings ?? []] },
    ...(judged?.failure === undefined ? {} : { failure: judged.failure }),
    ...(view?.bgpProblems === undefined ? {} : { bgpProblems: view.bgpProblems }),
    ...(inForce === undefined ? {} : { inForce: inForceOf(inForce) }),
  };
}

function podSnapshot(
  allocation: Allocation,
  { pods, view, sessions, lastRequests }: {
    pods: ReadonlyMap<string, Pod>;
    view: NodeView | undefined;
    sessions: SessionView;
    lastRequests: SnapshotSources["lastRequests"];
  },
): PodSnapshot {
  const { pod: identity, containerId, ifname, netns, netnsId, network, hostLink, podMac, mtu, state } = allocation;
  const pod = podOf(allocation, pods);
  const named = identity ?? pod;
  const last = lastRequests.lastOf(containerId);
  return {
    ...(named === undefined ? {} : { namespace: named.namespace, name: named.name, uid: named.uid }),
    ...{ containerId, ifname, netns, hostLink, podMac, mtu, state },
    ...(netnsId === undefined ? {} : { netnsId }),
    ...(network === undefined ? {} : { network }),
    ...(last === undefined ? {} : { lastRequestId: last.requestId, lastRequest: requestSnapshot(last) }),
    addresses: addressesOf(allocation).map(({ text }) => text),
    since: timeOf(allocation.createdAt),
    ...(pod === undefined ? {} : {
      ready: pod.ready,
      terminating: pod.terminating,
      annotations: Object.fromEntries(pod.annotations),
    }),
    anycast: anycastOf(allocation).map((address) => anycastSnapshot(address, { allocation, view, sessions })),
  };
}

function requestSnapshot({ verb, at, ms, error }: RequestRecord): RequestSnapshot {
  return { verb, at: timeOf(at), ms, ...(error === undefined ? {} : { error }) };
}

/** By owner, as decisions are: of a pod whose sandbox is being made anew, one may serve for the other. */
function anycastSnapshot(
  { text, family }: Address,
  { allocation, view, sessions }: { allocation: Allocation; view: NodeView | undefined; sessions: SessionView },
): AnycastSnapshot {
  const { pod, containerId } = allocation;
  const owner = pod === undefined ? containerId : `${pod.namespace}/${pod.name}`;
  const decisions = view?.anycast.filter((each) => each.owner === owner && each.address.text === text) ?? [];
  const served = decisions.find(({ serves }) => serves);
  const isTold = served !== undefined && view?.advertised.includes(hostPrefix(served.address).text) === true;
  const reason = isTold ? unheardReason(family, { view, sessions }) : refusalOf(decisions);
  return { address: text, advertised: reason === undefined, ...(reason === undefined ? {} : { reason }) };
}

/** One that no announcement has judged yet is on its way. */
function refusalOf(decisions: readonly AnycastDecision[]): string {
  const refused = decisions.find((each) => !each.serves);
  return refused === undefined || refused.serves ? "pending" : refused.reason;
}

function poolsOf({ cidr6, cidr4 }: NodeConfig, ipam: SnapshotSources["ipam"]): PoolSnapshot[] {
  const resting = ipam.resting().flatMap(({ address }) => parseAddress(address) ?? []);
  return [...cidr6, ...cidr4].map((cidr) => {
    const { used, usable } = ipam.usage(cidr);
    return {
      ...{ cidr: cidr.text, family: cidr.family, usable: String(usable), used },
      resting: resting.filter((address) => isIn(cidr, address)).length,
    };
  });
}

function isIn(cidr: Prefix, address: Address): boolean {
  return contains(cidr, hostPrefix(address));
}

function birdOf(view: NodeView | undefined): BirdSnapshot {
  if (view === undefined) return { applied: false, reason: "unreachable", message: "not configured yet" };
  return view.bird;
}

function policyOf({ policies, sources }: SnapshotSources): PolicySnapshot {
  const { inForce, failure, problems, table } = policies;
  const isolated = [...table.pods].map(([link, pod]) => ({ link, directions: directionsOf(pod) }));
  return {
    inForce,
    ...(failure === undefined ? {} : { failure }),
    problems: problems.map(({ policy: { namespace, name }, reason, state }) => ({
      ...{ namespace, name, reason },
      message: state,
    })),
    policies: sources.policies.size,
    isolatedLinks: isolated.sort((a, b) => a.link < b.link ? -1 : 1),
  };
}

function watchSnapshot({ resource, scope, watched }: BookedWatch, now: number): WatchSnapshot {
  const { synced, lastContact, interruption } = watched;
  const ageS = lastContact === undefined ? undefined : Math.round(now - lastContact) / 1000;
  return {
    ...{ resource, scope, synced },
    ...(ageS === undefined ? {} : { ageS }),
    ...(interruption === undefined ? {} : { lastError: interruption }),
  };
}

function rememberedOf({ at, what }: JournalEntry): Remembered {
  return { at: timeOf(at), what };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
