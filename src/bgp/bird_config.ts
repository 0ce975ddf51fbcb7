import type { Address, Prefix } from "../ip/address.ts";
import type { Bgp, SessionOptions } from "../nodeconfig/node_config.ts";

/** One BGP session as it should be. */
export interface BirdPeer extends SessionOptions {
  readonly address: Address;
  readonly asn: number;
  /** Printable ASCII without a double quote. */
  readonly password?: string;
  /** The node's own AS number. */
  readonly localAsn: number;
  /** The node's address on the peer's subnet; absent: BIRD chooses, which it cannot for `bfd` over several hops. */
  readonly localAddress?: Address;
}

/** Everything that BIRD's configuration says; rendering it twice gives the same bytes. Collections may come in any order. */
export interface BirdConfig {
  /** An IPv4 address used as a number (RFC 6286): any but 0.0.0.0. */
  readonly routerId: Address;
  /** At most one per address. None: nothing is announced and everything that was learned is removed. */
  readonly peers: readonly BirdPeer[];
  /** The node's own CIDRs. */
  readonly aggregates: readonly Prefix[];
  /** /32 and /128 outside the aggregates that are advertised by themselves. */
  readonly hostRoutes: readonly Prefix[];
  /** /32 and /128 that pods of this node serve, perhaps along with other nodes. */
  readonly anycastRoutes: readonly Prefix[];
  /** What routers are told along with the aggregates, and with anycast routes; absent: nothing. */
  readonly attributes?: Pick<Bgp, "aggregates" | "anycast">;
  /** Prefixes connected to this node and its own addresses: never accepted from a peer. */
  readonly refusedImports: readonly Prefix[];
}
