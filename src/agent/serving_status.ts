import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import type { SessionView } from "./session_monitor.ts";

/** What the STATUS verb is answered from; all of it is in memory. */
export interface ServingFacts {
  /** A NodeConfig is in force. */
  readonly ready: boolean;
  /** Why not, if it is not. */
  readonly why: string;
  /** How many BGP peers the NodeConfig names. */
  readonly peers: number;
  readonly sessions: SessionView;
}

/**
 * Whether ADDs can be served. Since containerd 2.1 a failing STATUS makes the node NotReady and gets its pods evicted, so it fails
 * only while no ADD can be served at all, and until the first BGP session of this boot (spec section 5).
 *
 * @throws CniError 50 or 51
 */
export function assertServing({ ready, why, peers, sessions }: ServingFacts): void {
  if (!ready) throw new CniError(CNI_CODE.notAvailable, `Cannot serve pods: ${why}`);
  if (peers > 0 && !sessions.everEstablished) {
    throw new CniError(
      CNI_CODE.limitedConnectivity,
      "Cannot reach pods from outside: no BGP session has come up since boot",
    );
  }
}
