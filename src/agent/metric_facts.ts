import type { Clock } from "../clock/clock.ts";
import type { Ipam } from "../ipam/ipam.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import type { DropMeter } from "./drop_meter.ts";
import type { Journal } from "./journal.ts";
import type { NodeReconciler } from "./node_reconciler.ts";
import type { OperationMeter } from "./operation_meter.ts";
import type { PolicyReconciler } from "./policy_reconciler.ts";
import type { LoopState } from "./reconcile_loop.ts";
import type { SessionMonitor } from "./session_monitor.ts";
import type { StateMeter } from "./state_meter.ts";
import type { WatchBook } from "./watch_book.ts";

/** What a scrape reads. All of it is in memory. */
export interface MetricFacts {
  readonly version: string;
  readonly loops: readonly LoopState[];
  readonly ledger: Pick<AllocationLedger, "all">;
  readonly ipam: Pick<Ipam, "usage" | "resting">;
  readonly reconciler: Pick<NodeReconciler, "ready" | "serving" | "config" | "resolution" | "view">;
  readonly sessions: Pick<SessionMonitor, "view" | "losses">;
  readonly policies: Pick<PolicyReconciler, "inForce" | "problems" | "failure" | "table">;
  readonly operations: Pick<OperationMeter, "errors">;
  readonly state: Pick<StateMeter, "failures" | "lastFailure">;
  readonly drops: Pick<DropMeter, "totals" | "pods">;
  readonly watches: Pick<WatchBook, "open">;
  readonly journal: Pick<Journal, "repaired" | "lines">;
  readonly clock: Clock;
  readonly process: ProcessFacts;
}

/** What the operating system says of the agent. */
export interface ProcessFacts {
  /** Processor time since the start, in seconds; that of `ip`, `nft` and BIRD is not part of it. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** Seconds since the epoch. */
  readonly startedAt: number;
}
