/** What a pod that runs may get by its annotations as they are now. Pure. */
import { InvalidInput } from "../fault/invalid_input.ts";
import { FAMILIES, parseAddress } from "../ip/address.ts";
import type { Allocation } from "../ipam/allocation.ts";
import { CLAIM_KEYS, claimProblem, type Claims, primaryClaim } from "../pod/claims.ts";
import { primaryOf } from "./allocation_addresses.ts";

/** What of its record is to be. */
export interface Wanted {
  readonly secondary: readonly string[];
  readonly anycast: readonly string[];
}

/** A pod has the families that its sandbox was made with. @throws InvalidInput naming each claim of another */
export function refuseMissingFamilies(allocation: Allocation, claims: Claims): void {
  const problems = CLAIM_KEYS.flatMap((key) =>
    claims[key].filter(({ family }) => primaryOf(allocation, family) === undefined).map((address) =>
      claimProblem(key, address, `must be of a family that the pod has, and its sandbox has no IPv${address.family}`)
    )
  );
  if (problems.length > 0) throw new InvalidInput(problems);
}

/**
 * The first of a family is to be the one that the pod is known by, so a sandbox that is known by another one does not get it. One that it
 * has in the other place goes there first: a route to the interface and one to `lo` would be in each other's way.
 *
 * @param pod `ips` are what it is known by, and stay: of a record that was rebuilt from the kernel nobody knows which address was the first
 */
export function wantedOf(
  allocation: Allocation,
  { claims, ips }: { readonly claims: Claims; readonly ips: readonly string[] },
): Wanted {
  const own = FAMILIES.map((family) => primaryOf(allocation, family));
  const first = FAMILIES.map((family) => primaryClaim(claims, family));
  const secondary = claims.addresses.filter((address) =>
    ![...own, ...allocation.anycast ?? []].includes(address.text) &&
    (!first.includes(address) || allocation.secondary?.includes(address.text) === true)
  );
  const anycast = claims.anycast.filter(({ text }) => ![...own, ...allocation.secondary ?? []].includes(text));
  const texts = secondary.map(({ text }) => text);
  const known = allocation.secondary?.filter((text) => ips.includes(text) && !texts.includes(text)) ?? [];
  return { secondary: [...texts, ...known], anycast: anycast.map(({ text }) => text) };
}

type Lists = Partial<Wanted>;

/** @returns what the first has of each and the second has not */
export function lacking(of: Lists, other: Lists): Wanted {
  const rest = (key: keyof Wanted): readonly string[] =>
    of[key]?.filter((text) => other[key]?.includes(text) !== true) ?? [];
  return { secondary: rest("secondary"), anycast: rest("anycast") };
}

export function isEmpty({ secondary, anycast }: Wanted): boolean {
  return secondary.length + anycast.length === 0;
}

/** @returns the same, as they were written. */
export function claimsOf({ secondary, anycast }: Wanted): Claims {
  const [addresses, shared] = [secondary, anycast].map((texts) => texts.flatMap((text) => parseAddress(text) ?? []));
  return { addresses: addresses ?? [], anycast: shared ?? [] };
}

/** Says whether the record has these already, in whatever order. */
export function isSame({ secondary = [], anycast = [] }: Allocation, wanted: Wanted): boolean {
  const sorted = (lists: readonly (readonly string[])[]): string =>
    JSON.stringify(lists.map((list) => [...list].sort()));
  return sorted([secondary, anycast]) === sorted([wanted.secondary, wanted.anycast]);
}
