import { InvalidInput, type Problem } from "../fault/invalid_input.ts";
import { type Address, type Family, parseAddress, parseInterfaceAddress } from "../ip/address.ts";
import { annotationField, SIZE_RULE, splitList } from "./annotations.ts";
import { specialKind } from "./special_addresses.ts";

/** The annotations by which a pod names addresses of its own. */
export const CLAIM_KEYS = ["addresses", "anycast"] as const;
export type ClaimKey = typeof CLAIM_KEYS[number];

/** Addresses that a pod claims by its annotations, in the order written, each once. */
export interface Claims {
  /** For its interface; the first of each family takes the place of one from the pool. */
  readonly addresses: readonly Address[];
  /** For its `lo`; many pods may share one. */
  readonly anycast: readonly Address[];
}

export const NO_CLAIMS: Claims = { addresses: [], anycast: [] };

/**
 * Reads the annotations `addresses` and `anycast` (spec section 3). Absent or empty ones claim nothing.
 *
 * @param annotations flock's own, their keys without the prefix
 * @throws InvalidInput naming each annotation, value and rule
 */
export function parseClaims(annotations: ReadonlyMap<string, string>): Claims {
  const problems: Problem[] = [];
  const [addresses, anycast] = CLAIM_KEYS.map((key) => parseList(key, { text: annotations.get(key), problems }));
  const shared = addresses?.find(({ text }) => anycast?.some((other) => other.text === text));
  if (shared !== undefined) {
    problems.push(claimProblem("anycast", shared, "must not be in annotation addresses as well"));
  }
  if (problems.length > 0) throw new InvalidInput(problems);
  return { addresses: addresses ?? [], anycast: anycast ?? [] };
}

/**
 * @returns what the annotations claim validly, each address once; what is wrong is left out, and so is a list over the
 * limits
 */
export function validClaims(annotations: ReadonlyMap<string, string>): readonly Address[] {
  const claimed = CLAIM_KEYS.flatMap((key) => parseList(key, { text: annotations.get(key), problems: [] }));
  return [...new Map(claimed.map((address) => [address.text, address])).values()];
}

/** @returns the claimed address of that family that the pod is to be known by; undefined: its comes from the pool */
export function primaryClaim({ addresses }: Claims, family: Family): Address | undefined {
  return addresses.find((address) => address.family === family);
}

/** @returns what is wrong with one claim; the rule is the end of a sentence */
export function claimProblem(key: ClaimKey, { text }: Pick<Address, "text">, rule: string): Problem {
  return { field: annotationField(key), value: text, rule };
}

function parseList(key: ClaimKey, { text, problems }: { text: string | undefined; problems: Problem[] }): Address[] {
  const entries = splitList(text ?? "");
  if (entries === undefined) {
    problems.push(claimProblem(key, { text: text ?? "" }, SIZE_RULE));
    return [];
  }
  const found = new Map<string, Address>();
  for (const entry of entries) {
    const read = parseEntry(entry);
    if (typeof read === "string") problems.push(claimProblem(key, { text: entry }, read));
    else found.set(read.text, read);
  }
  return [...found.values()];
}

/** @returns the address, or the rule that the entry breaks */
function parseEntry(entry: string): Address | string {
  const address = parseAddress(entry);
  if (address === undefined) {
    if (parseInterfaceAddress(entry) !== undefined) return "must be an IP address without a prefix length";
    return entry === "" ? "must not have an empty entry" : "must be an IP address";
  }
  const kind = specialKind(address);
  return kind === undefined ? address : `must not be ${kind}`;
}
