import type { PolicySetType } from "./policy_table.ts";

/**
 * Up to so many elements of a set of few chains are rules of these. A rule for each costs the kernel no more than the
 * set's own rule and the set; and it finds a set by comparing the names of all: twenty thousand sets of one or two
 * elements took it half a minute to load, as rules a second. Of more elements, more rules: on each change of a chain
 * the kernel walks through the rules of all, a tenth of a microsecond each.
 */
const FEW_ELEMENTS = 4;
/** A set of more chains is one of the kernel's, however small: a new element is not to change all of them. */
const FEW_USERS = 8;

/** What decides how the kernel holds a set. */
export interface SetSize {
  readonly elements: number;
  /** Chains that name it. */
  readonly users: number;
}

/** Says whether so many chains are few, as isInline() takes it. */
export function areFew(users: number): boolean {
  return users <= FEW_USERS;
}

/** Says whether the chains that name the set have rules of its elements, and the kernel no set. */
export function isInline({ kind }: PolicySetType, { elements, users }: SetSize): boolean {
  return kind !== "linkPort" && elements <= FEW_ELEMENTS && areFew(users);
}
