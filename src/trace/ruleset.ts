/** One table of nft as typed data: what of it takes part in deciding on a packet. */

/** What a match looks at: a field of a header, `ip saddr`, `tcp dport`; or of what the kernel knows, `meta oifname`, `ct state`. */
export type Key = string;

/** One side of a comparison. Addresses in canonical text, numbers in decimal. */
export type Value =
  /** One value for each key. */
  | { readonly kind: "tuple"; readonly parts: readonly string[] }
  /** Both ends are in it. */
  | { readonly kind: "range"; readonly first: string; readonly last: string }
  | { readonly kind: "prefix"; readonly address: string; readonly length: number }
  /** A set with a name. */
  | { readonly kind: "set"; readonly name: string }
  /** A list in braces, or of flags. */
  | { readonly kind: "list"; readonly values: readonly Value[] };

export type Verdict =
  | { readonly kind: "accept" | "drop" | "return" | "continue" }
  | { readonly kind: "jump" | "goto"; readonly chain: string };

/** One expression of a rule, in nft's order. */
export type Expression =
  | { readonly kind: "match"; readonly keys: readonly Key[]; readonly negated: boolean; readonly value: Value }
  | { readonly kind: "verdict"; readonly verdict: Verdict }
  | { readonly kind: "vmap"; readonly keys: readonly Key[]; readonly map: string }
  /** Does something and lets the packet on; `text` as nft writes it. */
  | { readonly kind: "aside"; readonly text: string }
  /** Nobody knows here what it does to the packet; `text` is its JSON. */
  | { readonly kind: "unknown"; readonly text: string };

export interface Rule {
  /** As nft numbers it; `nft -a list` shows the same. */
  readonly handle: number;
  readonly expressions: readonly Expression[];
}

/** A chain. One without a hook is only jumped to. */
export interface Chain {
  readonly rules: readonly Rule[];
  readonly hook?: { readonly name: string; readonly priority: number; readonly policy: "accept" | "drop" };
}

export interface Counter {
  readonly packets: number;
  readonly bytes: number;
}

export interface Ruleset {
  /** Name -> chain */
  readonly chains: ReadonlyMap<string, Chain>;
  /** Name -> elements */
  readonly sets: ReadonlyMap<string, readonly Value[]>;
  /** Name -> element, its parts joined by ` . `, -> verdict */
  readonly maps: ReadonlyMap<string, ReadonlyMap<string, Verdict>>;
  /** Name -> what it has counted */
  readonly counters: ReadonlyMap<string, Counter>;
}
