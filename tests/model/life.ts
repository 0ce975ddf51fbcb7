import type { NodeParts } from "../../src/agent/assemble_node.ts";
import type { DriftTick } from "../../src/agent/drift_watch.ts";
import { PATIENCE, type Patience } from "../../src/agent/garbage_collector.ts";
import type { ReconcileLoop } from "../../src/agent/reconcile_loop.ts";
import type { Ipam } from "../../src/ipam/ipam.ts";
import type { StateStore } from "../../src/store/state.ts";
import type { StateFiles } from "../../src/store/state_files.ts";
import type { Gates } from "./gates.ts";
import type { GroundDrivers } from "./ground.ts";
import type { KernelWatch } from "./kernel_watch.ts";
import type { ModelClock } from "./model_clock.ts";

/** What a test may put in place of a part, to see that the model notices. */
export interface Parts {
  readonly files: (files: StateFiles) => StateFiles;
  readonly store: (store: StateStore) => StateStore;
  readonly ipam: (ipam: Ipam) => Ipam;
  readonly node: (node: NodeParts, world: GroundDrivers & { readonly clock: ModelClock }) => NodeParts;
  /** Of whoever watches for what others do to the kernel. */
  readonly bell: (ring: (tick: DriftTick) => Promise<void>) => (tick: DriftTick) => Promise<void>;
  readonly patience: Patience;
}

/** Nothing is put in place of anything. */
export const SOUND: Parts = {
  ...{ files: (files) => files, store: (store) => store, ipam: (ipam) => ipam, node: (node) => node },
  ...{ bell: (ring) => ring, patience: PATIENCE },
};
/** One life of the agent: from its start to its death. */
export interface Life {
  readonly gates: Gates;
  readonly drivers: GroundDrivers;
  /** Set once the state has been read. */
  node?: NodeParts;
  ipam?: Ipam;
  store?: StateStore;
  loops?: { readonly node: ReconcileLoop; readonly routes: ReconcileLoop; readonly collect: ReconcileLoop };
  watch?: KernelWatch;
  /** Whether its socket is open. */
  listening: boolean;
  /** Whether it takes what arrives there. */
  serving: boolean;
  /** Why it could not start. */
  failure?: unknown;
}
