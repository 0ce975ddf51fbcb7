import type { Allocation } from "../../src/ipam/allocation.ts";

/** A link of flock's in the kernel. */
export interface SeenLink {
  /** Undefined for one without a readable alias. */
  readonly containerId: string | undefined;
  /** Those that its routes are of, sorted. */
  readonly addresses: readonly string[];
}

/** Everything there is to see, at one moment. */
export interface Look {
  // host link -> what it is
  readonly links: ReadonlyMap<string, SeenLink>;
  /** `link address`; undefined while there is no table. */
  readonly grants: ReadonlySet<string> | undefined;
  /** Host links whose host's end, or pod's end, is not as it should be, routes apart. */
  readonly damaged: { readonly host: ReadonlySet<string>; readonly pod: ReadonlySet<string> };
  /** What of the node as a whole somebody altered. */
  readonly node: readonly string[];
  /** The agent itself: another one after a restart. */
  readonly life: unknown;
  /** What the agent has in mind; undefined while there is none, or it has not read its state. */
  readonly ledger: readonly Allocation[] | undefined;
  /** Whether the agent answers plugins. */
  readonly serving: boolean;
  readonly monotonic: number;
  /** How often somebody has set the wall clock. */
  readonly steps: number;
}
