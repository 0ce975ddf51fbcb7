import { sizeOf } from "../ip/address.ts";
import type { AllocationRange } from "./ipam.ts";

/** Addresses of one family from `first` to `last`, both included; empty when `last` is below `first`. */
export interface Span {
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * @returns the addresses of the range that may be given out (spec section 4): in IPv4 all but the network, the first (gateway) and the
 *   last (broadcast) address of the node CIDR, in IPv6 all but the all-zeros host of the node CIDR
 */
export function usableSpan({ range, nodeCidr }: AllocationRange): Span {
  const [reservedBelow, reservedAbove] = nodeCidr.family === 4 ? [2n, 1n] : [1n, 0n];
  const whole = { first: range.base, last: range.base + sizeOf(range) - 1n };
  return intersect(whole, {
    first: nodeCidr.base + reservedBelow,
    last: nodeCidr.base + sizeOf(nodeCidr) - 1n - reservedAbove,
  });
}

/** @returns the addresses that both hold */
export function intersect(a: Span, b: Span): Span {
  return { first: a.first > b.first ? a.first : b.first, last: a.last < b.last ? a.last : b.last };
}

/** @returns how many addresses the span has */
export function spanSize({ first, last }: Span): bigint {
  return last < first ? 0n : last - first + 1n;
}

/** Says whether the span has the address. */
export function spanHas({ first, last }: Span, value: bigint): boolean {
  return value >= first && value <= last;
}
