/** What a node must have at a quiet moment, and nothing beside. */
import { hostLinkName } from "../../../src/hash/container_hash.ts";

/** A container that lives, as its runtime was told of it. */
export interface LiveContainer {
  readonly id: string;
  /** Of its pod. */
  readonly uid: string;
  /** A path on the node. */
  readonly netns: string;
  readonly addresses: readonly string[];
  /** `namespace/name` of its pod. */
  readonly owner: string;
  /** Of its `lo`. */
  readonly anycast: readonly string[];
  /** Whether its pod is Ready, as the API server was told; undefined: it has not heard of this sandbox yet. */
  readonly ready: boolean | undefined;
}

export interface Expectation {
  readonly live: readonly LiveContainer[];
  /**
   * Containers that nobody deleted, or whose deletion the disk refused: garbage collection owes their end, but not yet.
   */
  readonly owed: ReadonlySet<string>;
  readonly prefixes: readonly string[];
  /** prefix of another node -> by which address it is reached */
  readonly others: ReadonlyMap<string, string>;
  /** anycast address -> by which addresses those other nodes are reached that serve it */
  readonly elsewhere: ReadonlyMap<string, readonly string[]>;
}

/** What one address of a container must be bound to. */
export interface Grant {
  readonly address: string;
  readonly link: string;
}

/** @returns every address of these containers with the host end that may use it */
export function grantsOf(
  containers: readonly { readonly id: string; readonly addresses: readonly string[] }[],
): Grant[] {
  return containers.flatMap(({ id, addresses }) => addresses.map((address) => ({ address, link: hostLinkName(id) })));
}

/** @returns the same of all addresses that it may send from */
export function sourcesOf(
  containers: readonly {
    readonly id: string;
    readonly addresses: readonly string[];
    readonly anycast: readonly string[];
  }[],
): Grant[] {
  return grantsOf(containers.map(({ id, addresses, anycast }) => ({ id, addresses: [...addresses, ...anycast] })));
}

/** @returns the family of an address or a prefix */
export function familyOf(text: string): 4 | 6 {
  return text.includes(":") ? 6 : 4;
}
