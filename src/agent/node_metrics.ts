/** Metrics that are read at a scrape: the node's. Names and units as prometheus.io/docs/practices/naming has them. */
import type { Address, Prefix } from "../ip/address.ts";
import { hostPrefix } from "../ip/address.ts";
import type { ReadMetric, Sample } from "../prometheus/metric_registry.ts";
import type { MetricFacts } from "./metric_facts.ts";

type NodeMetric = ReadMetric<MetricFacts>;

const yes = (holds: boolean): Sample[] => [{ value: holds ? 1 : 0 }];

const NODE: readonly NodeMetric[] = [
  {
    ...{ type: "gauge", name: "flock_node_serving", help: "Whether the node serves ADDs: a NodeConfig is in force." },
    read: ({ reconciler }) => yes(reconciler.ready),
  },
  {
    ...{
      type: "gauge",
      name: "flock_nodeconfig_accepted",
      help: "Whether the NodeConfig as it is written is in force.",
    },
    read: ({ reconciler }) => yes(reconciler.resolution?.verdict.reason === "Accepted"),
  },
  {
    ...{ type: "gauge", name: "flock_nodeconfig_generation", help: "Generation of the NodeConfig in force." },
    read: ({ reconciler: { config } }) => config === undefined ? [] : [{ value: config.generation }],
  },
  {
    ...{ type: "gauge", name: "flock_allocations", help: "Allocations by state.", labels: ["state"] },
    read: ({ ledger }) => countBy(ledger.all(), "state", { of: ({ state }) => state, all: ["pending", "committed"] }),
  },
];

/** An IPv6 pool has more addresses than a double counts exactly; nobody minds. */
const POOLS: readonly NodeMetric[] = [
  {
    ...{ type: "gauge", name: "flock_pool_addresses", help: "Usable addresses of a node CIDR.", labels: ["cidr"] },
    read: ({ reconciler, ipam }) => forPools(reconciler, (cidr) => Number(ipam.usage(cidr).usable)),
  },
  {
    ...{ type: "gauge", name: "flock_pool_addresses_used", help: "Addresses of a node CIDR in use.", labels: ["cidr"] },
    read: ({ reconciler, ipam }) => forPools(reconciler, (cidr) => ipam.usage(cidr).used),
  },
  {
    ...{ type: "gauge", name: "flock_pool_addresses_resting", help: "Freed addresses that still rest." },
    read: ({ ipam }) => [{ value: ipam.resting().length }],
  },
];

const BGP: readonly NodeMetric[] = [
  {
    ...{ type: "gauge", name: "flock_bird_up", help: "Whether BIRD answers." },
    read: ({ sessions }) => yes(sessions.view.sessions !== undefined),
  },
  {
    ...{ type: "gauge", name: "flock_bird_configuration_in_force", help: "Whether BIRD has what it should have." },
    read: ({ reconciler: { view } }) => view === undefined ? [] : yes(view.bird.applied),
  },
  {
    ...{ type: "gauge", name: "flock_bgp_session_established", labels: ["peer"] },
    help: "Whether the session with a peer of the NodeConfig is established.",
    read: ({ reconciler: { config }, sessions: { view } }) =>
      (config?.bgp?.peers ?? []).map(({ address: { text: peer } }) => ({
        labels: { peer },
        value: view.sessions?.some((each) => each.peer.text === peer && each.established) ? 1 : 0,
      })),
  },
  {
    ...{ type: "counter", name: "flock_bgp_session_losses_total", labels: ["peer"] },
    help: "Established sessions that were seen to end.",
    read: ({ sessions: { losses } }) => series("peer", losses),
  },
  {
    ...{
      type: "gauge",
      name: "flock_bgp_advertised_prefixes",
      help: "Prefixes that routers are told of.",
      labels: ["family"],
    },
    read: ({ reconciler: { view } }) => {
      const all = (view?.advertised ?? []).map((text) => text.includes(":") ? "ipv6" : "ipv4");
      return countBy(all, "family", { of: (family) => family, all: ["ipv6", "ipv4"] });
    },
  },
];

const CLAIM_STATES = ["serves", "pending", "terminating", "notReady", "unknown", "noUnicast", "noRoute"];

const ANYCAST: readonly NodeMetric[] = [
  {
    ...{ type: "gauge", name: "flock_anycast_claims", labels: ["state"] },
    help: "Claims of anycast addresses by the node's pods: served, or why not.",
    read: ({ reconciler: { view } }) => {
      const of = (each: NonNullable<typeof view>["anycast"][number]): string => each.serves ? "serves" : each.reason;
      return countBy(view?.anycast ?? [], "state", { of, all: CLAIM_STATES });
    },
  },
  {
    ...{ type: "gauge", name: "flock_anycast_addresses", labels: ["state"] },
    help: "Anycast addresses that pods of the node claim, by whether routers are told of them.",
    read: (facts) =>
      countBy(claimedAddresses(facts), "state", {
        of: ({ advertised }) => advertised ? "advertised" : "withdrawn",
        all: ["advertised", "withdrawn"],
      }),
  },
  {
    ...{ type: "gauge", name: "flock_anycast_address_advertised", labels: ["address"] },
    help: "Whether routers are told of an anycast address; with spec.metrics.perPod only.",
    read: (facts) =>
      isPerPod(facts)
        ? claimedAddresses(facts).map(({ address, advertised }) => ({
          labels: { address: address.text },
          value: advertised ? 1 : 0,
        }))
        : [],
  },
];

const POLICIES: readonly NodeMetric[] = [
  {
    ...{
      type: "gauge",
      name: "flock_policies_in_force",
      help: "Whether the kernel has all that was heard of policies.",
    },
    read: ({ policies: { inForce, failure } }) => yes(inForce && failure === undefined),
  },
  {
    ...{ type: "gauge", name: "flock_policy_problems", labels: ["reason"] },
    help: "NetworkPolicies that fail closed on this node.",
    read: ({ policies: { problems } }) =>
      countBy(problems, "reason", { of: ({ reason }) => reason, all: ["PolicyInvalid", "PolicyQuarantined"] }),
  },
  {
    ...{
      type: "gauge",
      name: "flock_policy_table_objects",
      help: "Size of the table of the policies.",
      labels: ["kind"],
    },
    read: ({ policies: { table } }) => series("kind", tableSizes(table)),
  },
  {
    ...{ type: "counter", name: "flock_dropped_packets_total", labels: ["reason"] },
    help: "Packets of pods that were dropped, as of the scrape before.",
    read: ({ drops: { totals } }) => series("reason", totals),
  },
  {
    ...{ type: "counter", name: "flock_pod_dropped_packets_total", labels: ["namespace", "pod", "direction"] },
    help: "Packets that NetworkPolicy dropped, as of the scrape before; with spec.metrics.perPod only.",
    read: podDrops,
  },
];

const AGENT: readonly NodeMetric[] = [
  {
    ...{ type: "counter", name: "flock_cni_operation_errors_total", labels: ["verb", "code"] },
    help: "CNI operations that failed, by CNI error code.",
    read: ({ operations }) =>
      operations.errors.map(({ verb, code, count }) => ({ labels: { verb, code: String(code) }, value: count })),
  },
  {
    ...{
      type: "counter",
      name: "flock_state_write_failures_total",
      help: "Updates of the state that the disk refused.",
    },
    read: ({ state }) => [{ value: state.failures }],
  },
  {
    ...{ type: "gauge", name: "flock_state_durable", help: "Whether the last update of the state is on the disk." },
    read: ({ state }) => yes(state.lastFailure === undefined),
  },
  {
    ...{
      type: "counter",
      name: "flock_repairs_total",
      help: "What others changed and flock put back.",
      labels: ["part"],
    },
    read: ({ journal }) =>
      series("part", { links: 0, routes: 0, guard: 0, policies: 0, node: 0, ...Object.fromEntries(journal.repaired) }),
  },
  {
    ...{ type: "counter", name: "flock_log_messages_total", help: "Warnings and errors logged.", labels: ["level"] },
    read: ({ journal }) => series("level", journal.lines),
  },
  {
    ...{ type: "gauge", name: "flock_reconcile_failing", labels: ["loop"] },
    help: "Whether a part of a loop's work failed and is tried again.",
    read: ({ loops }) => loops.map(({ name, failing }) => ({ labels: { loop: name }, value: failing ? 1 : 0 })),
  },
  {
    ...{ type: "counter", name: "flock_reconcile_passes_total", help: "Passes of a loop.", labels: ["loop"] },
    read: ({ loops }) => loops.map(({ name, passes }) => ({ labels: { loop: name }, value: passes })),
  },
  {
    ...{ type: "counter", name: "flock_reconcile_failures_total", help: "Passes that failed.", labels: ["loop"] },
    read: ({ loops }) => loops.map(({ name, failures }) => ({ labels: { loop: name }, value: failures })),
  },
  {
    ...{ type: "gauge", name: "flock_api_watch_age_seconds", labels: ["resource", "scope"] },
    help: "Since when nothing was heard of a watch; a quiet one hears something once a minute.",
    read: ({ watches, clock }) =>
      watches.open.flatMap(({ resource, scope, watched: { lastContact } }) =>
        lastContact === undefined
          ? []
          : [{ labels: { resource, scope }, value: (clock.monotonic() - lastContact) / 1000 }]
      ),
  },
  {
    ...{ type: "gauge", name: "flock_api_watch_up", labels: ["resource", "scope"] },
    help: "Whether a collection has been listed and its watch is not interrupted.",
    read: ({ watches }) =>
      watches.open.map(({ resource, scope, watched: { synced, interruption } }) => ({
        labels: { resource, scope },
        value: synced && interruption === undefined ? 1 : 0,
      })),
  },
  {
    ...{ type: "gauge", name: "flock_build_info", help: "1, of this version.", labels: ["version"] },
    read: ({ version }) => [{ labels: { version }, value: 1 }],
  },
];

/** With the names that every Prometheus client gives them. */
const PROCESS: readonly NodeMetric[] = [
  {
    ...{ type: "counter", name: "process_cpu_seconds_total", help: "Processor time of the agent itself in seconds." },
    read: ({ process }) => [{ value: process.cpuSeconds }],
  },
  {
    ...{ type: "gauge", name: "process_resident_memory_bytes", help: "Resident memory in bytes." },
    read: ({ process }) => [{ value: process.residentBytes }],
  },
  {
    ...{ type: "gauge", name: "process_heap_bytes", help: "JavaScript heap in use in bytes." },
    read: ({ process }) => [{ value: process.heapBytes }],
  },
  {
    ...{ type: "gauge", name: "process_start_time_seconds", help: "Start of the agent in seconds since the epoch." },
    read: ({ process }) => [{ value: process.startedAt }],
  },
];

/** No series is of one pod, or of one pod's address, unless the NodeConfig asks for it. */
export const NODE_METRICS: readonly NodeMetric[] = [
  ...NODE,
  ...POOLS,
  ...BGP,
  ...ANYCAST,
  ...POLICIES,
  ...AGENT,
  ...PROCESS,
];

function series(label: string, values: ReadonlyMap<string, number> | Readonly<Record<string, number>>): Sample[] {
  const entries = values instanceof Map ? [...values] : Object.entries(values);
  return entries.map(([name, value]) => ({ labels: { [label]: name }, value }));
}

/** @param options.all what is shown even where there is none of it: a series that appears with its first event hides that event */
function countBy<T>(
  items: readonly T[],
  label: string,
  { of, all }: { of(item: T): string; all: readonly string[] },
): Sample[] {
  const counts = new Map(all.map((name) => [name, 0]));
  for (const item of items) counts.set(of(item), (counts.get(of(item)) ?? 0) + 1);
  return series(label, counts);
}

function forPools(
  { config }: MetricFacts["reconciler"],
  value: (cidr: Prefix) => number,
): Sample[] {
  const cidrs = [...config?.cidr6 ?? [], ...config?.cidr4 ?? []];
  return cidrs.map((cidr) => ({ labels: { cidr: cidr.text }, value: value(cidr) }));
}

function isPerPod({ reconciler: { config } }: MetricFacts): boolean {
  return config?.metrics?.perPod === true;
}

function claimedAddresses({ reconciler: { view } }: MetricFacts): { address: Address; advertised: boolean }[] {
  const told = new Set(view?.advertised);
  const claimed = new Map((view?.anycast ?? []).map(({ address }) => [address.text, address]));
  return [...claimed.values()].map((address) => ({ address, advertised: told.has(hostPrefix(address).text) }));
}

function tableSizes({ sets, chains, pods }: MetricFacts["policies"]["table"]): Record<string, number> {
  let [elements, rules] = [0, 0];
  for (const set of sets.values()) elements += set.elements.size;
  for (const chain of chains.values()) rules += chain.rules.length;
  return { pods: pods.size, chains: chains.size, rules, sets: sets.size, elements };
}

function podDrops(facts: MetricFacts): Sample[] {
  if (!isPerPod(facts)) return [];
  const owners = new Map(facts.ledger.all().map(({ hostLink, pod }) => [hostLink, pod]));
  return facts.drops.pods.flatMap(({ link, direction, packets }) => {
    const owner = owners.get(link);
    if (owner === undefined) return [];
    return [{ labels: { namespace: owner.namespace, pod: owner.name, direction }, value: packets }];
  });
}
