/** Metrics of the node, read at a scrape. Names and units as prometheus.io/docs/practices/naming has them. */
import type { Address, Prefix } from "../ip/address.ts";
import { hostPrefix } from "../ip/address.ts";
import type { ReadMetric, Sample } from "../prometheus/metric_registry.ts";
import { AGENT_METRICS } from "./agent_metrics.ts";
import type { MetricFacts } from "./metric_facts.ts";
import { countBy, series, yes } from "./metric_series.ts";
import { unheardReason } from "./unheard_reason.ts";

type NodeMetric = ReadMetric<MetricFacts>;

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
    ...{ type: "gauge", name: "flock_nodeconfig_warnings", help: "Warnings about the NodeConfig in force." },
    read: ({ reconciler: { resolution, view } }) => [{
      value: (resolution?.warnings.length ?? 0) + (view?.warnings?.length ?? 0),
    }],
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
    ...{
      type: "gauge",
      name: "flock_pool_addresses",
      help: "Usable addresses of a node CIDR.",
      labels: ["cidr", "family"],
    },
    read: ({ reconciler, ipam }) => forPools(reconciler, (cidr) => Number(ipam.usage(cidr).usable)),
  },
  {
    ...{
      type: "gauge",
      name: "flock_pool_addresses_used",
      help: "Addresses of a node CIDR in use.",
      labels: ["cidr", "family"],
    },
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
    read: ({ reconciler: { config }, sessions: { losses } }) =>
      (config?.bgp?.peers ?? []).map(({ address: { text: peer } }) => ({
        labels: { peer },
        value: losses.get(peer) ?? 0,
      })),
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

/** No series is of one pod, or of one pod's address, unless the NodeConfig asks for it. */
export const METRICS: readonly NodeMetric[] = [
  ...NODE,
  ...POOLS,
  ...BGP,
  ...ANYCAST,
  ...POLICIES,
  ...AGENT_METRICS,
];

function forPools(
  { config }: MetricFacts["reconciler"],
  value: (cidr: Prefix) => number,
): Sample[] {
  const cidrs = [...config?.cidr6 ?? [], ...config?.cidr4 ?? []];
  return cidrs.map((cidr) => ({ labels: { cidr: cidr.text, family: `ipv${cidr.family}` }, value: value(cidr) }));
}

function isPerPod({ reconciler: { config } }: MetricFacts): boolean {
  return config?.metrics?.perPod === true;
}

/** What BIRD does not have, or has nobody to tell, is not advertised: as status and `inspect` have it. */
function claimedAddresses(
  { reconciler: { view }, sessions }: MetricFacts,
): { address: Address; advertised: boolean }[] {
  if (view === undefined) return [];
  const hearing = { view, sessions: sessions.view };
  const told = new Set(view.advertised);
  const claimed = new Map(view.anycast.map(({ address }) => [address.text, address]));
  return [...claimed.values()].map((address) => ({
    address,
    advertised: told.has(hostPrefix(address).text) && unheardReason(address.family, hearing) === undefined,
  }));
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
