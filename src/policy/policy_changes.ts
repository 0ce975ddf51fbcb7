import type { Direction } from "./network_policy.ts";
import type { IsolatedPod, PolicyChain, PolicySetType } from "./policy_table.ts";

/** What became of one thing of the table; one of the two is there at least, and they differ. */
export interface Change<T> {
  /** As it was; absent: it was not there. */
  readonly before?: T;
  /** As it is to be; absent: it is to go. */
  readonly after?: T;
}

export interface SetChange {
  readonly type: PolicySetType;
  /**
   * Directions of the chains that named it, and of those that name it now. None: there was no such set; there is to be
   * none.
   */
  readonly named: { readonly before: readonly Direction[]; readonly after: readonly Direction[] };
  /** Elements that it has now and had not, and the reverse. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** All that it has now. */
  readonly elements: ReadonlySet<string>;
}

/**
 * The difference between two tables. Shares what it holds with the compiler: valid until the compiler is told something
 * new.
 */
export interface PolicyChanges {
  /** Name -> what becomes of the set */
  readonly sets: ReadonlyMap<string, SetChange>;
  /** Name -> what becomes of the chain */
  readonly chains: ReadonlyMap<string, Change<PolicyChain>>;
  /** Host end of the pod's link -> what becomes of its isolation */
  readonly pods: ReadonlyMap<string, Change<IsolatedPod>>;
  /** All pods that are to be isolated, those without a change among them. */
  readonly isolated: ReadonlyMap<string, IsolatedPod>;
}
