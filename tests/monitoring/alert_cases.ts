/** For each alert series that fire it and series that do not, in promtool's notation, one value a minute. */

export interface AlertCase {
  readonly alert: string;
  /** Series -> its values. */
  readonly sick: Readonly<Record<string, string>>;
  readonly well: Readonly<Record<string, string>>;
  /** When both are looked at. Default `30m`. */
  readonly at?: string;
  /** What the alert carries beside its severity and `instance`. */
  readonly labels?: Readonly<Record<string, string>>;
}

const N = 'instance="a"';

/** A gauge that is bad at one value and well at another. */
function gauge(alert: string, name: string, { labels = {}, sick = "0", well = "1" } = {}): AlertCase {
  const series = `${name}{${[N, ...Object.entries(labels).map(([key, value]) => `${key}="${value}"`)].join(",")}}`;
  return { alert, sick: { [series]: `${sick}x60` }, well: { [series]: `${well}x60` }, labels };
}

function bucket(name: string, le: string, labels = ""): string {
  return `${name}_bucket{${N},le="${le}"${labels}}`;
}

/** @param uses CIDR -> how many of its addresses are in use, of how many */
function pools(uses: Readonly<Record<string, readonly [used: number, of: number]>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(uses).flatMap(([cidr, [used, of]]) => {
      const labels = `${N},cidr="${cidr}",family="ipv4"`;
      return [[`flock_pool_addresses_used{${labels}}`, `${used}x60`], [`flock_pool_addresses{${labels}}`, `${of}x60`]];
    }),
  );
}

const ADDS = ',verb="ADD",result="success"';
const [ADD, POLICY] = ["flock_cni_operation_duration_seconds", "flock_policy_programming_duration_seconds"];

export const ALERT_CASES: readonly AlertCase[] = [
  {
    alert: "FlockAgentDown",
    sick: { [`up{job="flock",${N}}`]: "0x60" },
    well: { [`up{job="flock",${N}}`]: "1x60" },
    labels: { job: "flock" },
  },
  gauge("FlockNotServing", "flock_node_serving"),
  gauge("FlockNodeConfigRejected", "flock_nodeconfig_accepted"),
  gauge("FlockNodeConfigWarning", "flock_nodeconfig_warnings", { sick: "1", well: "0" }),
  gauge("FlockBirdDown", "flock_bird_up"),
  gauge("FlockBirdConfigurationStale", "flock_bird_configuration_in_force"),
  gauge("FlockBgpSessionDown", "flock_bgp_session_established", { labels: { peer: "192.0.2.1" } }),
  {
    alert: "FlockNodeIsolated",
    sick: {
      [`flock_bgp_session_established{${N},peer="192.0.2.1"}`]: "0x60",
      [`flock_bgp_session_established{${N},peer="192.0.2.2"}`]: "0x60",
    },
    well: {
      [`flock_bgp_session_established{${N},peer="192.0.2.1"}`]: "0x60",
      [`flock_bgp_session_established{${N},peer="192.0.2.2"}`]: "1x60",
    },
  },
  gauge("FlockBgpSessionFlaps", "flock_bgp_session_losses_total", {
    ...{ labels: { peer: "192.0.2.1" }, sick: "0+1", well: "2+0" },
  }),
  {
    alert: "FlockPoolNearlyFull",
    sick: pools({ "192.0.2.0/24": [240, 253] }),
    well: pools({ "192.0.2.0/24": [253, 253], "198.51.100.0/24": [10, 253] }),
    labels: { family: "ipv4" },
  },
  {
    alert: "FlockPoolFull",
    sick: pools({ "192.0.2.0/24": [253, 253], "198.51.100.0/24": [253, 253] }),
    well: pools({ "192.0.2.0/24": [253, 253], "198.51.100.0/24": [252, 253] }),
    labels: { family: "ipv4" },
  },
  {
    alert: "FlockAddsFail",
    sick: { [`flock_cni_operation_errors_total{${N},verb="ADD",code="11"}`]: "0+1x60" },
    well: {
      [`flock_cni_operation_errors_total{${N},verb="ADD",code="11"}`]: "5x60",
      [`flock_cni_operation_errors_total{${N},verb="CHECK",code="110"}`]: "0+1x60",
    },
    labels: { code: "11" },
  },
  {
    alert: "FlockAddsSlow",
    sick: {
      [bucket(ADD, "1", ADDS)]: "0+1x60",
      [bucket(ADD, "5", ADDS)]: "0+9x60",
      [bucket(ADD, "+Inf", ADDS)]: "0+9x60",
    },
    well: {
      [bucket(ADD, "1", ADDS)]: "0+9x60",
      [bucket(ADD, "5", ADDS)]: "0+9x60",
      [bucket(ADD, "+Inf", ADDS)]: "0+9x60",
    },
  },
  {
    alert: "FlockAnycastWithdrawn",
    sick: { [`flock_anycast_addresses{${N},state="withdrawn"}`]: "1x60" },
    well: {
      [`flock_anycast_addresses{${N},state="withdrawn"}`]: "0x60",
      [`flock_anycast_addresses{${N},state="advertised"}`]: "1x60",
    },
    labels: { state: "withdrawn" },
  },
  {
    alert: "FlockAnycastUnroutable",
    sick: { [`flock_anycast_claims{${N},state="noRoute"}`]: "1x60" },
    well: { [`flock_anycast_claims{${N},state="notReady"}`]: "1x60" },
    labels: { state: "noRoute" },
  },
  gauge("FlockPoliciesNotInForce", "flock_policies_in_force"),
  gauge("FlockPolicyFailsClosed", "flock_policy_problems", {
    ...{ labels: { reason: "PolicyInvalid" }, sick: "1", well: "0" },
  }),
  {
    alert: "FlockPoliciesSlow",
    sick: { [bucket(POLICY, "1")]: "0+1x60", [bucket(POLICY, "5")]: "0+9x60", [bucket(POLICY, "+Inf")]: "0+9x60" },
    well: { [bucket(POLICY, "1")]: "0+9x60", [bucket(POLICY, "5")]: "0+9x60", [bucket(POLICY, "+Inf")]: "0+9x60" },
  },
  {
    alert: "FlockPolicyDrops",
    sick: { [`flock_dropped_packets_total{${N},reason="policy_ingress"}`]: "0+60x60" },
    well: { [`flock_dropped_packets_total{${N},reason="policy_ingress"}`]: "0+2x60" },
    labels: { reason: "policy_ingress" },
  },
  {
    alert: "FlockSpoofedPackets",
    sick: { [`flock_dropped_packets_total{${N},reason="spoofed4"}`]: "0+60x60" },
    well: {
      [`flock_dropped_packets_total{${N},reason="spoofed4"}`]: "7x60",
      [`flock_dropped_packets_total{${N},reason="policy_egress"}`]: "0+60x60",
    },
    labels: { reason: "spoofed4" },
  },
  gauge("FlockApiUnheard", "flock_api_watch_up", { labels: { resource: "pods", scope: "node" } }),
  {
    ...gauge("FlockApiUnheard", "flock_api_watch_age_seconds", {
      ...{ labels: { resource: "pods", scope: "node" }, sick: "0+60", well: "55" },
    }),
  },
  gauge("FlockReconcileFails", "flock_reconcile_failing", { labels: { loop: "node" }, sick: "1", well: "0" }),
  gauge("FlockRepairs", "flock_repairs_total", { labels: { part: "routes" }, sick: "0+1", well: "4" }),
  gauge("FlockStateNotDurable", "flock_state_durable"),
];
