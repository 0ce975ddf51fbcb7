import type { PodIdentity } from "../cnispec/cni_args.ts";
import type { Allocation } from "../ipam/allocation.ts";
import type { Pod } from "../pod/pod.ts";

/** What policies have to do with one pod's ADD, DEL and CHECK. */
export interface PodIsolation {
  /**
   * To be asked before an ADD takes anything: waits, bounded, until the policies of the pod's namespace are known, if
   * there may be any.
   *
   * @param identity absent: no policy can mean the container
   * @param pod as the API server has it; undefined: its labels are unknown
   * @throws CniError 11 when it cannot be told whether the pod has to be isolated
   */
  admit(identity: PodIdentity | undefined, pod: Pod | undefined): Promise<void>;
  /** Has the pod's isolation in force when it resolves; costs nothing when no policy selects it. @throws CniError 11 */
  isolate(allocation: Allocation, pod?: Pod): Promise<void>;
  /** The pod's link is gone: nothing is to be kept of it. Never throws, and does not wait. */
  release(link: string): void;
  /** @returns what of the pod's isolation is missing in the kernel, one phrase each */
  check(allocation: Allocation): Promise<readonly string[]>;
}
