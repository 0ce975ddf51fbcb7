import type { FigureSpec } from "./figures.ts";

/** Event -> what happens */
const EVENTS = {
  "policy-added": "policy added",
  "policy-removed": "policy removed",
  "label-gained": "peer pod gains a label",
  "label-lost": "peer pod loses a label",
  "pod-created": "peer pod created",
} as const;

/** All with 110 pods on the node, 10 000 in the cluster and 1000 policies, but where `what` says otherwise. */
export const POLICY_FIGURES: readonly FigureSpec[] = [
  ...Object.entries(EVENTS).flatMap(([id, what]): FigureSpec[] => [
    { id, what: `${what}: to the first packet (guide: 6 ms)`, floor: "element", times: 2.5 },
    { id: `${id}-p99`, what: "the same, 99 of 100, against its median", samples: id, quantile: 0.99, timesMedian: 4 },
    { id: `${id}-scale`, what: "the same, against 10 policies", samples: id, floor: `${id}-10`, times: 1.5 },
  ]),
  {
    ...{ id: "policy-cold", what: "new agent: all known to table in force, against bare nft -f" },
    ...{ floor: "policy-load", times: 1.5 },
  },
  {
    ...{ id: "throughput-policies", what: "TCP pod to pod: lost to 1000 policies, against none" },
    ...{ unit: "%", atMost: 10 } as const,
  },
  {
    ...{ id: "throughput-open", what: "TCP pod to pod: lost without policies, against bare veths" },
    ...{ unit: "%", atMost: 2 } as const,
  },
  { id: "policy-memory", what: "agent's memory with 10 000 pods in the cluster", unit: "MiB", atMost: 220 },
  { id: "policy-memory-pod", what: "agent's memory for each of 40 000 more", unit: "KiB", atMost: 1 },
  { id: "policy-start-leaked", what: "packets to and from closed pods that start", unit: "", quantile: 1, atMost: 0 },
  { id: "policy-restart-lost", what: "packets lost in 20 restarts, 1 kHz", unit: "", quantile: 1, atMost: 0 },
  { id: "policy-restart-leaked", what: "packets let through in these", unit: "", quantile: 1, atMost: 0 },
  { id: "element", what: "floor of an event: one element by a one-shot nft" },
  { id: "policy-load", what: "floor of a new agent: bare nft -f of its table" },
  { id: "policy-added-many", what: "policy with 10 000 peers added", floor: "element" },
  { id: "policy-removed-many", what: "policy with 10 000 peers removed", floor: "element" },
  { id: "throughput-linear", what: "TCP: lost to 1000 rules in a row, against bare veths", unit: "%" },
  { id: "throughput-bare", what: "TCP over bare veths", unit: "Gbit/s" },
  { id: "policy-memory-peak", what: "agent's peak of memory with 10 000 pods", unit: "MiB" },
  { id: "policy-memory-50k", what: "agent's memory with 50 000 pods", unit: "MiB" },
];
