/**
 * The table `inet flock-policy` as typed data, between policies and nft.
 *
 * Two base chains hook postrouting before source NAT (priority srcnat): `egress` first, then `ingress`, so that
 * `accept` in one ends that direction only (NP-51); each is there as long as a pod is isolated in its direction. There a packet has its destination after kube-proxy's DNAT and its
 * source before any SNAT. What the node itself sends has no incoming link and passes; what it receives never comes
 * here. Each base chain looks the link up in a verdict map and goes to the pod's own chain, if it has one: replies and
 * errors of established connections pass, then the chains of the policies that select the pod are asked, and what none
 * of them accepts is counted and dropped.
 */
import type { Family } from "../ip/address.ts";
import type { Direction, PortRange, Protocol } from "./network_policy.ts";

/** What a set holds. Elements are as nft writes them. */
export type PolicySetType =
  /** Addresses of pods: `192.0.2.7`. */
  | { readonly kind: "address"; readonly family: Family }
  /** Named ports of this node's pods, as destinations: `"flock0a0b0c0d" . 8080`. */
  | { readonly kind: "linkPort"; readonly protocol: Protocol }
  /** Named ports of any pods, as destinations: `192.0.2.7 . 8080`. */
  | { readonly kind: "addressPort"; readonly family: Family; readonly protocol: Protocol };

export interface PolicySet {
  readonly type: PolicySetType;
  readonly elements: ReadonlySet<string>;
}

/** Both ends are in it. Numbers of 32 or 128 bits. */
export interface AddressRange {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

/** The other end of the packet: the source in a chain of ingress, the destination in one of egress. */
export type PeerMatch =
  | { readonly kind: "set"; readonly family: Family; readonly set: string }
  /** Sorted, of one family, disjoint and not adjacent. Never empty. */
  | { readonly kind: "ranges"; readonly family: Family; readonly ranges: readonly AddressRange[] };

/** The destination's port. */
export type PortMatch =
  /**
   * Sorted, disjoint and not adjacent. Never empty. 0-65535 is every packet of the protocol, fragments that show no
   * port too.
   */
  | { readonly kind: "ranges"; readonly protocol: Protocol; readonly ranges: readonly PortRange[] }
  /**
   * A set of type linkPort (ingress; no family), or addressPort (egress; of that family): it says which destination has
   * the name at which number.
   */
  | { readonly kind: "set"; readonly protocol: Protocol; readonly set: string; readonly family?: Family };

/** Accepts what matches both; what is absent matches everything. */
export interface ChainRule {
  readonly peer?: PeerMatch;
  readonly port?: PortMatch;
}

/** What one policy allows in one direction. Shared by all pods that it selects. Without rules it accepts nothing. */
export interface PolicyChain {
  readonly direction: Direction;
  readonly rules: readonly ChainRule[];
}

/** A pod of this node that is isolated in one direction at least. */
export interface IsolatedPod {
  /**
   * Per direction in which it is isolated: the names of the policy chains that are asked, sorted. May be empty: nothing
   * is allowed.
   */
  readonly chains: { readonly [D in Direction]?: readonly string[] };
  readonly logDrops: boolean;
}

/**
 * Without isolated pods there are no chains and no sets either, and no expression of connection tracking in the table.
 */
export interface PolicyTable {
  /** Name -> set: those that a chain names, and no other. */
  readonly sets: ReadonlyMap<string, PolicySet>;
  /** Name -> chain: those that an isolated pod asks, and no other. */
  readonly chains: ReadonlyMap<string, PolicyChain>;
  /** Host end of the pod's link -> what isolates it */
  readonly pods: ReadonlyMap<string, IsolatedPod>;
}
