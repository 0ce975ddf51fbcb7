import { InvalidInput } from "../fault/invalid_input.ts";
import { bitsOf, contains, type Family, parseInterfaceAddress, parsePrefix, type Prefix } from "../ip/address.ts";
import type { AllocationRange } from "../ipam/ipam.ts";
import { spanSize, usableSpan } from "../ipam/usable_span.ts";
import { annotationField, SIZE_RULE, splitList } from "./annotations.ts";

/** A `cidr6` or `cidr4` annotation, read. */
export interface Restriction {
  readonly family: Family;
  /** As written. */
  readonly text: string;
  /** In the order written. */
  readonly cidrs: readonly Prefix[];
}

/** Reads a `cidr6` or `cidr4` annotation. @throws InvalidInput naming the entry and the rule that it breaks */
export function parseRestriction(family: Family, text: string): Restriction {
  const entries = splitList(text);
  if (entries === undefined) throw invalid(family, { value: text, rule: SIZE_RULE });
  if (entries.length === 0) throw invalid(family, { value: text, rule: "must list at least one CIDR" });
  return { family, text, cidrs: entries.map((entry) => parseEntry(family, entry)) };
}

/**
 * Restricts allocation to what the annotation names (spec section 3): an entry that equals or holds a node CIDR stands for that node
 * CIDR, one inside a node CIDR for itself. Entries are tried in order, each against the node CIDRs in order; the first match wins.
 *
 * @throws InvalidInput when nothing matches, or when what matches has no address to give
 */
export function matchRestriction({ family, text, cidrs }: Restriction, nodeCidrs: readonly Prefix[]): AllocationRange {
  const range = firstMatch(cidrs, nodeCidrs);
  if (range === undefined) {
    const rule = nodeCidrs.length === 0
      ? `must not be given: the node has no IPv${family} CIDR`
      : `must name a part or the whole of a node CIDR (${nodeCidrs.map((cidr) => cidr.text).join(", ")})`;
    throw invalid(family, { value: text, rule });
  }
  if (spanSize(usableSpan(range)) > 0n) return range;
  const rule = `must have an address that is not reserved in node CIDR ${range.nodeCidr.text}`;
  throw invalid(family, { value: range.range.text, rule });
}

function parseEntry(family: Family, entry: string): Prefix {
  const reject = (rule: string): InvalidInput => invalid(family, { value: entry, rule });
  if (entry === "") throw reject("must not have an empty entry");
  const parsed = parseInterfaceAddress(entry);
  if (parsed === undefined) throw reject("must be a CIDR, an address with its prefix length");
  if (parsed.address.family !== family) throw reject(`must be an IPv${family} CIDR`);
  const prefix = parsePrefix(entry);
  if (prefix !== undefined) return prefix;
  throw reject(`must have no host bits set, the last ${bitsOf(family) - parsed.length} bits`);
}

function firstMatch(cidrs: readonly Prefix[], nodeCidrs: readonly Prefix[]): AllocationRange | undefined {
  for (const cidr of cidrs) {
    for (const nodeCidr of nodeCidrs) {
      if (contains(cidr, nodeCidr)) return { range: nodeCidr, nodeCidr };
      if (contains(nodeCidr, cidr)) return { range: cidr, nodeCidr };
    }
  }
  return undefined;
}

function invalid(family: Family, problem: { value: string; rule: string }): InvalidInput {
  return new InvalidInput([{ field: annotationField(`cidr${family}`), ...problem }]);
}
