import { isOfProcess, netnsAt } from "./netns_at.ts";

/** A network namespace as a record remembers it. */
export interface RememberedNetns {
  /** An absolute path; empty where nobody remembers it. */
  readonly netns: string;
  /** `NetnsAt.id` of what was there; absent where that could not be told. */
  readonly netnsId?: string;
}

/**
 * Whether a record's network namespace has ended: nothing is at its path any more, or another one. Where a path does not tell, the pod's
 * link has to (its end goes with the namespace), so the answer is true: where there is no path, and for one of a process,
 * `/proc/PID/ns/net`, since by now the number may be another process's.
 *
 * @throws when the path may not be looked at
 */
export function netnsGone({ netns, netnsId }: RememberedNetns): boolean {
  if (netns === "" || isOfProcess(netns)) return true;
  const found = netnsAt(netns);
  return found === undefined || (netnsId !== undefined && found.id !== netnsId);
}
