/** What the bench tells: each figure is the median of one kind of sample, or its worst, some beside a floor, some with a target. */
import type { SampleBook } from "./statistics.ts";

/** A line of `dist/bench.json`. */
export interface Figure {
  readonly id: string;
  readonly what: string;
  /** Median unless `what` says otherwise, in `unit`. */
  readonly value: number;
  readonly unit: "ms" | "MiB" | "KiB" | "Gbit/s" | "/s" | "%" | "";
  /** What cannot be had for less, or what it is compared with, in `unit`; null where there is no such thing. */
  readonly floor: number | null;
  /** Most that the value may be, in `unit`; null for figures that only stand beside the others. */
  readonly target: number | null;
  /** Whether the value is within the target; null without one. */
  readonly holds: boolean | null;
}

/** Where a figure comes from. */
export interface FigureSpec {
  readonly id: string;
  readonly what: string;
  /** Default ms. */
  readonly unit?: Figure["unit"];
  /** Name of its samples; default: the id. */
  readonly samples?: string;
  /** So many of the samples do not exceed the value, and the floor's not the floor; 1 for the worst. Default: both are medians. */
  readonly quantile?: number;
  /** Name of the floor's samples. */
  readonly floor?: string;
  /** The target as a multiple of the floor. */
  readonly times?: number;
  /** The target as a multiple of the median of the same samples. */
  readonly timesMedian?: number;
  /** The target in `unit`. */
  readonly atMost?: number;
}

/** Calico 3 (Felix in nftables mode), IPv4 only, as kubelet saw it on machines of this kind; not measured here. */
export const CALICO_ADD_MS = 270;

/** Of pods and agents: what the issues ask for first, then what stands beside it. */
export const FIGURES: readonly FigureSpec[] = [
  { id: "add", what: "ADD dual-stack, whole plugin, against the floor", floor: "floor", times: 1.5 },
  { id: "add-ptp", what: "ADD dual-stack, against ptp IPv4-only", samples: "add", floor: "ptp4", times: 5 },
  { id: "add-250", what: "ADD with 250 pods, against the empty node", samples: "full.add", floor: "add", times: 1.15 },
  { id: "agent-add", what: "agent's side of ADD (guide: 6 ms), against bare ip", floor: "ip", times: 2.5 },
  { id: "agent-del", what: "agent's side of DEL", atMost: 5 },
  { id: "version", what: "VERSION, whole plugin, against an empty module", floor: "empty", times: 1.15 },
  { id: "scrape-250", what: "scrape of /metrics with 250 pods", samples: "full.scrape", atMost: 20 },
  { id: "memory-250", what: "agent's resident memory with 250 pods", unit: "MiB", atMost: 180 },
  {
    ...{ id: "burst-add", what: "110 ADDs at once, whole plugins, against as many empty modules" },
    ...{ floor: "burst-empty", times: 1 / 0.8 },
  },
  {
    ...{ id: "burst-add-floor", what: "the same, against as many empty modules and two ip -batch each" },
    ...{ samples: "burst-add", floor: "burst-floor", times: 1 / 0.8 },
  },
  { id: "burst-memory", what: "agent's peak of memory during these", unit: "MiB", atMost: 200 },
  { id: "burst-del", what: "110 DELs at once, whole plugins", floor: "burst-empty", atMost: 1500 },
  { id: "burst-agent-del", what: "agent's side of one DEL of 110 at once", atMost: 3 },
  {
    id: "pairs-files",
    what: "open files after 10 000 pods, against 1000",
    unit: "",
    floor: "pairs-files.warm",
    times: 1,
  },
  { id: "pairs-zombies", what: "zombies after 10 000 pods", unit: "", atMost: 0 },
  {
    ...{ id: "pairs-memory", what: "agent's memory after 10 000 pods, against 1000", unit: "MiB" },
    ...{ floor: "pairs-memory.warm", times: 1.1 },
  },
  { id: "start", what: "start of the agent until its first ADD is served", atMost: 1000 },
  { id: "start-250", what: "the same with the state of 250 pods", atMost: 1500 },
  { id: "floor", what: "floor of ADD: empty module and two ip -batch" },
  { id: "empty", what: "empty module in the executable's form" },
  { id: "ip", what: "bare ip: one ip -batch for each namespace" },
  { id: "ptp4", what: "ADD of Debian's ptp and host-local, IPv4-only" },
  { id: "ptp46", what: "ADD of Debian's ptp and host-local, dual-stack" },
  { id: "calico", what: "ADD of Calico's plugin, IPv4-only (quoted, not measured here)" },
  { id: "del", what: "DEL, whole plugin", floor: "empty" },
  { id: "agent-add-250", what: "agent's side of ADD with 250 pods", samples: "full.agent-add", floor: "agent-add" },
  { id: "agent-del-250", what: "agent's side of DEL with 250 pods", samples: "full.agent-del", floor: "agent-del" },
  { id: "memory", what: "agent's resident memory after its first pods", unit: "MiB" },
  { id: "idle", what: "agent's CPU at rest, empty node, of one core", unit: "%" },
  // What a node spends for nothing; every sysctl of every pod is read once a second.
  { id: "idle-250", what: "agent's CPU at rest with 250 pods, of one core", unit: "%", floor: "idle", atMost: 3 },
  { id: "burst-agent-add", what: "agent's side of one ADD of 110 at once" },
  { id: "pair", what: "agent's side of ADD and DEL, 50 pods at a time" },
  { id: "state-write", what: "durable write of the state of 250 pods" },
  { id: "disk-writes", what: "durable writes that the disk gives, 100 KB each", unit: "/s" },
  { id: "burst-steps", what: "steps that one write carries in a burst (an ADD has two)", unit: "" },
  { id: "bird-reload", what: "one host route more: checked, written, reloaded by BIRD" },
];

/** Those of anycast. */
export const ANYCAST_FIGURES: readonly FigureSpec[] = [
  {
    ...{ id: "flip", what: "Ready flip to UPDATE, 100 other anycast routes (guide: 10 ms)" },
    ...{ floor: "birdc", times: 2.5 },
  },
  { id: "flip-p99", what: "the same, 99 of 100", samples: "flip", quantile: 0.99, floor: "birdc", atMost: 30 },
  { id: "flips", what: "110 flips at once to the last UPDATE, worst", quantile: 1, atMost: 150 },
  { id: "flips-reloads", what: "reloads for these, worst", unit: "", quantile: 1, atMost: 8 },
  { id: "flips-resets", what: "sessions opened anew during these", unit: "", quantile: 1, atMost: 0 },
  { id: "restart-lost", what: "requests lost in a rolling restart, 1 kHz", unit: "", quantile: 1, atMost: 0 },
  { id: "kill-lost", what: "requests lost to kill -9 of every agent, 1 kHz", unit: "", quantile: 1, atMost: 0 },
  { id: "kill-changes", what: "route changes at the router by these", unit: "", quantile: 1, atMost: 0 },
  { id: "share", what: "10 000 flows over two pods: off from even", unit: "%", quantile: 1, atMost: 10 },
  { id: "moved", what: "flows of a pod that moved when the other left", unit: "", quantile: 1, atMost: 0 },
  { id: "birdc", what: "floor of a flip: birdc configure on a hand-written file" },
  { id: "flip-bird", what: "Ready flip to the route in the kernel of BIRD as router", floor: "birdc-bird" },
  { id: "flip-frr", what: "Ready flip to the route in the kernel of FRR as router", floor: "birdc-frr" },
];

/** @throws when there are no samples of something that a figure needs */
export function resolveFigures(specs: readonly FigureSpec[], book: Pick<SampleBook, "p50" | "quantile">): Figure[] {
  return specs.map((spec) => {
    const { id, what, unit = "ms", samples = id } = spec;
    const take = (name: string): number =>
      spec.quantile === undefined ? book.p50(name) : book.quantile(name, spec.quantile);
    const value = take(samples);
    const floor = spec.floor === undefined ? null : take(spec.floor);
    const target = targetOf(spec, { floor, median: book.p50(samples) });
    return { id, what, value, unit, floor, target, holds: target === null ? null : value <= target };
  });
}

function targetOf(
  { times, timesMedian, atMost }: FigureSpec,
  { floor, median }: { readonly floor: number | null; readonly median: number },
): number | null {
  if (atMost !== undefined) return atMost;
  if (timesMedian !== undefined) return timesMedian * median;
  return times === undefined || floor === null ? null : times * floor;
}
