import type { FigureSpec } from "./figures.ts";

/** Those of a real cluster: what a pod's start costs beside what kubelet and containerd take, and what operators wait for. */
export const CLUSTER_FIGURES: readonly FigureSpec[] = [
  {
    ...{ id: "pod-running", what: "pod scheduled to Running, dual-stack, against bridge IPv4-only" },
    ...{ samples: "flock.one", floor: "bridge.one", times: 1.1 },
  },
  {
    ...{ id: "pods-running", what: "50 pods at once until the last is Running, against the same" },
    ...{ samples: "flock.many", floor: "bridge.many", times: 1.2 },
  },
  { id: "install", what: "kubectl apply to node Ready and first pod Running", atMost: 20_000 },
  { id: "update-lost", what: "packets lost in a rolling update, 1 kHz", unit: "", quantile: 1, atMost: 0 },
  { id: "update", what: "rolling update of two nodes" },
];
