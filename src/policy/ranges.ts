import { type Family, type Prefix, sizeOf } from "../ip/address.ts";
import type { BlockPeer, PortRange } from "./network_policy.ts";
import type { AddressRange } from "./policy_table.ts";

/** Both ends are in it. */
interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * The addresses of blocks of one family. What a block excepts is taken from that block only: another may hold it
 * (NP-12).
 *
 * @returns sorted, disjoint, not adjacent
 */
export function rangesOfBlocks(blocks: readonly BlockPeer[], family: Family): AddressRange[] {
  const own = blocks.filter(({ cidr }) => cidr.family === family);
  const held = own.flatMap(({ cidr, except }) => without(rangeOf(cidr), except.map(rangeOf)));
  return merge(held).map((range) => ({ family, ...range }));
}

/** @returns the same ports: sorted, disjoint, not adjacent */
export function mergePorts(ranges: readonly PortRange[]): PortRange[] {
  const merged = merge(ranges.map(({ first, last }) => ({ first: BigInt(first), last: BigInt(last) })));
  return merged.map(({ first, last }) => ({ first: Number(first), last: Number(last) }));
}

function rangeOf(prefix: Prefix): Range {
  return { first: prefix.base, last: prefix.base + sizeOf(prefix) - 1n };
}

function merge(ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const range of ranges.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))) {
    const before = merged.at(-1);
    if (before === undefined || range.first > before.last + 1n) merged.push(range);
    else if (range.last > before.last) merged[merged.length - 1] = { first: before.first, last: range.last };
  }
  return merged;
}

function without(whole: Range, exceptions: readonly Range[]): Range[] {
  const left: Range[] = [];
  let next = whole.first;
  for (const { first, last } of merge(exceptions)) {
    if (first > next) left.push({ first: next, last: first - 1n });
    next = last + 1n;
  }
  if (next <= whole.last) left.push({ first: next, last: whole.last });
  return left;
}
