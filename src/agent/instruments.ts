import type { HistogramSpec, MetricRegistry, Observer } from "../prometheus/metric_registry.ts";

/** What takes its time. The labels are those of the histograms below. */
export interface Instruments {
  readonly operations: Observer;
  readonly flips: Observer;
  readonly policies: Observer;
  readonly stateWrites: Observer;
}

/** From what a plugin's socket costs to what a runtime waits. */
const CALLS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** From one line for nft or BIRD to what nobody should wait for. */
const CHANGES = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

export const HISTOGRAMS: Readonly<Record<keyof Instruments, HistogramSpec>> = {
  operations: {
    name: "flock_cni_operation_duration_seconds",
    help: "Duration of the agent's part of a CNI operation.",
    labels: ["verb", "result"],
    buckets: CALLS,
  },
  flips: {
    name: "flock_anycast_flip_duration_seconds",
    help: "From hearing that a pod with anycast addresses is Ready, or not any more, until BIRD was told.",
    labels: ["change"],
    buckets: CHANGES,
  },
  policies: {
    name: "flock_policy_programming_duration_seconds",
    help:
      "From hearing of a change of policies, namespaces or pods until the kernel had it, where it changes the table.",
    buckets: CHANGES,
  },
  stateWrites: {
    name: "flock_state_write_duration_seconds",
    help: "Duration of a durable update of the agent's state.",
    buckets: CHANGES,
  },
};

export function addInstruments(registry: MetricRegistry<never>): Instruments {
  const { operations, flips, policies, stateWrites } = HISTOGRAMS;
  return {
    operations: registry.addHistogram(operations),
    flips: registry.addHistogram(flips),
    policies: registry.addHistogram(policies),
    stateWrites: registry.addHistogram(stateWrites),
  };
}
