import type { SetSize } from "./hold_set.ts";
import type { IsolatedPod, PolicyChain, PolicySet, PolicySetType } from "./policy_table.ts";

/** What became of one thing of the table; one of the two is there at least, and they differ. */
export interface Change<T> {
  /** As it was; absent: it was not there. */
  readonly before?: T;
  /** As it is to be; absent: it is to go. */
  readonly after?: T;
}

export interface SetChange {
  readonly type: PolicySetType;
  /** As it was; absent: there was no such set. */
  readonly before?: SetSize;
  /** As it is to be; absent: there is to be none. */
  readonly after?: SetSize;
  /** Elements that it has now and had not, and the reverse. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** A set with the chains that name it. */
export interface NamedSet extends PolicySet {
  readonly users: ReadonlySet<string>;
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
  /** Chains of ports that came, with their rules, and that went. */
  readonly ports: { readonly added: ReadonlyMap<string, readonly string[]>; readonly removed: readonly string[] };
  /** The table as it is to be. */
  readonly find: {
    set(name: string): NamedSet | undefined;
    chain(name: string): PolicyChain | undefined;
  };
  /** All pods that are to be isolated, those without a change among them. */
  readonly isolated: ReadonlyMap<string, IsolatedPod>;
}
