import type { Address, Family, Prefix } from "../ip/address.ts";

/** Where the addresses of one family may come from, for one pod. */
export interface AllocationRange {
  /** The addresses that may be given out: a node CIDR, or the part of one that an annotation names. */
  readonly range: Prefix;
  /** The node CIDR that holds the range; its first, last and network addresses are excluded as spec section 4 says. */
  readonly nodeCidr: Prefix;
}

/** What one pod wants of one family; ranges are tried in order. */
export interface FamilyRequest {
  readonly family: Family;
  readonly ranges: readonly AllocationRange[];
  /** IPv6 only: texts whose hashes go into the host bits, from the top (`ip-algo`). */
  readonly identity?: readonly string[];
}

/** Addresses for one pod, and what an operator should know about how they were chosen. */
export interface Grant {
  readonly ipv6?: Address;
  readonly ipv4?: Address;
  readonly warnings: readonly string[];
}

/** No address is left in any range of a family. The message names the ranges and their sizes. */
export class PoolExhausted extends Error {
  override readonly name = "PoolExhausted";
}

/** Gives out addresses; in memory only, all-or-nothing across families. Who keeps them durable is the caller. */
export interface Ipam {
  /** @returns one address per family asked for. @throws PoolExhausted, with nothing taken */
  allocate(requests: readonly FamilyRequest[]): Grant;
  /** Marks an address as in use (taken back at start). @returns false when it was in use already */
  take(address: Address): boolean;
  /**
   * Frees an address; it rests from `freedAt` on (wall clock, ms since the epoch; default now). A free one rests as well (taken back at
   * start), one that rests already goes on resting. A `freedAt` in the future or more than a day ago counts as now.
   */
  release(address: Address, freedAt?: number): void;
  /** Frees an address that never left the agent: no rest, but one that its allocation cut short goes on. Undoing a free one is fine. */
  undo(address: Address): void;
  /** Sets the node CIDR's cursor (text of the last address given out) at start. */
  setCursor(nodeCidr: string, last: Address): void;
  /** node CIDR -> last IPv4 address given out */
  cursors(): ReadonlyMap<string, string>;
  /** Addresses that still rest, with the wall-clock time of their release. */
  resting(): readonly { readonly address: string; readonly freedAt: number }[];
  /** @returns in use and usable addresses of a node CIDR (usable as a bigint: an IPv6 pool is large). */
  usage(nodeCidr: Prefix): { readonly used: number; readonly usable: bigint };
}
