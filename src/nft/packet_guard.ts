import type { Address, Prefix } from "../ip/address.ts";

/** A pod may send from this address on this link. */
export interface SourceGrant {
  readonly link: string;
  readonly address: Address;
}

/** The tables `inet flock` and `arp flock`: who may send from what, and what no pod may reach on a node (spec section 6). */
export interface GuardState {
  readonly grants: readonly SourceGrant[];
  /** All pods' prefixes of the cluster: none of them reaches TCP 179 or BFD on this node. */
  readonly podPrefixes: readonly Prefix[];
}

/** Keeps flock's own nft tables, the two always in one transaction. Never touches another. */
export interface PacketGuard {
  /**
   * Makes the tables hold exactly this, in one transaction: no packet sees one missing or half filled. Called at start, when
   * the prefixes change, and when a table was found changed.
   */
  replace(state: GuardState): Promise<void>;
  /** Adds grants; those already there are fine. In force when it resolves. Calls made at the same time share one transaction. */
  grant(grants: readonly SourceGrant[]): Promise<void>;
  /** Takes grants away; those missing are fine. */
  revoke(grants: readonly SourceGrant[]): Promise<void>;
  /** @returns what differs between the kernel's tables and the state, one phrase each; undefined when either is gone. Reads only our tables. */
  drift(state: GuardState): Promise<readonly string[] | undefined>;
  /**
   * Like drift(), for these grants alone: what other elements the sets hold or lack is not looked at.
   *
   * @returns one phrase for each thing that keeps them from being in force, empty when all is well; changes nothing
   */
  check(grants: readonly SourceGrant[]): Promise<readonly string[]>;
  /** Ends the persistent process. */
  close(): Promise<void>;
}
