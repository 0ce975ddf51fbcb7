/** One case of the lists that flock is held to: what broke other CNIs, and what the CNI specification demands. */
export interface Case {
  /** Stable; titles of tests name it in parentheses. */
  readonly id: string;
  /** What it asks, in one line. */
  readonly asks: string;
  /** Where the contract decides otherwise than the case's first wording, or its tests stop short of it, and how. */
  readonly decided?: string;
  /** The feature that the case, or what is left of it, waits for. */
  readonly pending?: Feature;
  /** Why it has nothing to ask of flock. Such a case has no test. */
  readonly doesNotApply?: string;
}

/** What is still to be built. */
export type Feature =
  | "NetworkPolicy"
  | "installer"
  | "grants"
  | "BGP operations";
