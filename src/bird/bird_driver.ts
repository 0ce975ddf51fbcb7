import type { Address } from "../ip/address.ts";

/** One session as BIRD reports it. */
export interface SessionState {
  readonly peer: Address;
  /** BIRD's word: Established, Active, Connect, Idle, OpenSent, Down, ... */
  readonly state: string;
  readonly established: boolean;
  /** When the session last came up or went down, ISO 8601, as BIRD reports it. */
  readonly since?: string;
  /** What BIRD says of the last error, if anything. */
  readonly lastError?: string;
}

/** What became of a configuration. */
export type BirdOutcome =
  | { readonly applied: true }
  /** BIRD refused the text; the one in force stays. */
  | { readonly applied: false; readonly reason: "refused"; readonly message: string }
  /** BIRD does not answer; the file is in place for its next start. */
  | { readonly applied: false; readonly reason: "unreachable"; readonly message: string };

/** Drives BIRD: its configuration file and its control socket. Knows no NodeConfig. */
export interface BirdDriver {
  /**
   * Has BIRD check the text and go live with it in one step (`configure` refuses a bad file as a whole), then puts it durably into the
   * file that BIRD starts from; without a daemon `bird -p` checks. A first change goes at once, a burst coalesces to one reload per
   * 20 ms, the last text wins. The same text as the one in force does nothing, unless BIRD was restarted meanwhile.
   *
   * @returns for a caller whose text was overtaken: what became of the one that took its place
   * @throws when the text cannot be written down for BIRD to read, or no daemon answers and `bird -p` cannot be run; what is in force stays
   */
  apply(text: string): Promise<BirdOutcome>;
  /** @returns the sessions that flock configured, by peer. @throws when BIRD does not answer within 2 s */
  sessions(): Promise<readonly SessionState[]>;
}
