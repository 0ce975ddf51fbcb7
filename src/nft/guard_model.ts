import { HOST_LINK } from "../hash/container_hash.ts";
import { InvalidInput } from "../fault/invalid_input.ts";
import { compareIp, contains, type Prefix } from "../ip/address.ts";
import type { GuardState, SourceGrant } from "./packet_guard.ts";

/** The families that hold a table `flock`. inet sees no ARP, and no family's rules see another one's sets. */
export const GUARD_FAMILIES = ["inet", "arp"] as const;
export type GuardFamily = typeof GUARD_FAMILIES[number];

/** The guard's tables, as `nft monitor` names them. */
export const GUARD_TABLES = ["inet flock", "arp flock"] as const;

/** What flock fills sets with. `own`: link . source address; `pods`: prefixes of all pods of the cluster. */
export type GuardSet = "own4" | "own6" | "pods4" | "pods6";

/** Every set that flock fills, with the family of its table: own4 is there twice, and both always hold the same. */
export const GUARD_SETS: readonly { readonly family: GuardFamily; readonly set: GuardSet }[] = [
  { family: "inet", set: "own4" },
  { family: "inet", set: "own6" },
  { family: "inet", set: "pods4" },
  { family: "inet", set: "pods6" },
  { family: "arp", set: "own4" },
];

/** What the sets hold, as nft writes it: `"flock0a0b0c0d" . 192.0.2.7`, `192.0.2.0/24`; sorted, without duplicates. */
export type GuardModel = Readonly<Record<GuardSet, readonly string[]>>;

/** @throws InvalidInput when a grant names a link that is no host end of ours */
export function compileGuard(state: GuardState): GuardModel {
  const grants = state.grants.toSorted((a, b) => compareIp(a.address, b.address) || (a.link < b.link ? -1 : 1));
  const own = (set: GuardSet): string[] => [...new Set(grants.filter((g) => grantSet(g) === set).map(grantElement))];
  const prefixes = mergePrefixes(state.podPrefixes);
  const pods = (family: 4 | 6): string[] => prefixes.filter((p) => p.family === family).map((p) => p.text);
  return { own4: own("own4"), own6: own("own6"), pods4: pods(4), pods6: pods(6) };
}

/** @returns the set, of one name in every family, that holds the grant */
export function grantSet(grant: SourceGrant): GuardSet {
  return grant.address.family === 4 ? "own4" : "own6";
}

/** @throws InvalidInput when the link is no host end of ours: the chains look at no other, and nft reads the text */
export function grantElement(grant: SourceGrant): string {
  if (!HOST_LINK.test(grant.link)) {
    throw new InvalidInput([{ field: "grant's link", value: grant.link, rule: "must be flock and 8 hex digits" }]);
  }
  return `"${grant.link}" . ${grant.address.text}`;
}

/** Prefixes either nest or are disjoint; nft refuses a set in which they nest, so only the outer ones stay. Sorted. */
function mergePrefixes(prefixes: readonly Prefix[]): Prefix[] {
  const outer: Prefix[] = [];
  for (const prefix of prefixes.toSorted(compareIp)) {
    const last = outer.at(-1);
    if (last === undefined || !contains(last, prefix)) outer.push(prefix);
  }
  return outer;
}
