/** Metrics of the agent itself, read at a scrape. */
import type { ReadMetric } from "../prometheus/metric_registry.ts";
import type { MetricFacts } from "./metric_facts.ts";
import { series, yes } from "./metric_series.ts";

type AgentMetric = ReadMetric<MetricFacts>;

const AGENT: readonly AgentMetric[] = [
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
const PROCESS: readonly AgentMetric[] = [
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

export const AGENT_METRICS: readonly AgentMetric[] = [...AGENT, ...PROCESS];
