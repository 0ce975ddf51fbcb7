import type { Address, Prefix } from "../ip/address.ts";

/** An address on one of the node's own interfaces (not a pod's veth). */
export interface HostAddress {
  readonly address: Address;
  /** The interface's real prefix length. */
  readonly length: number;
  readonly link: string;
  /** False for addresses with a lifetime (DHCP, SLAAC, privacy), and for tentative, deprecated or failed ones. */
  readonly permanent: boolean;
  /** Kernel scope: global, link, host. */
  readonly scope: "global" | "link" | "host";
}

/** A default route of the node. */
export interface DefaultRoute {
  readonly family: 4 | 6;
  readonly link: string;
  /** Whether it came from a router advertisement. */
  readonly fromRouterAdvertisement: boolean;
}

/** What the agent must know of the node's own network. Flock's veths and loopback's host-scope addresses are left out. */
export interface HostNetwork {
  readonly addresses: readonly HostAddress[];
  readonly defaultRoutes: readonly DefaultRoute[];
  /** link -> MTU in bytes. */
  readonly mtus: ReadonlyMap<string, number>;
}

/** What the node's kernel should hold for flock beside the pods (spec section 6). */
export interface HostState {
  /** One blackhole route each, so that traffic to free addresses never loops. */
  readonly blackholes: readonly Prefix[];
  /** Families that the node forwards. */
  readonly families: readonly (4 | 6)[];
}

/** What an `apply` came to, one phrase each. */
export interface HostChange {
  /** What was not as it should be, and is now. */
  readonly changed: readonly string[];
  /** What could not be made so, and why. */
  readonly left: readonly string[];
}

/** Reads the node's network and programs what belongs to the node, not to one pod. */
export interface HostDriver {
  read(): Promise<HostNetwork>;
  /**
   * Makes the state so: forwarding on (after `accept_ra=2` on links with a default route from RA), multipath hashing over
   * layer 4, 169.254.1.1/32 on `lo` with scope host, blackhole routes of our protocol exactly as listed. Writes only what differs.
   * Another's route in the place of a blackhole stays; ours goes before it. What cannot be made so keeps nothing else from
   * being made, save that no node forwards IPv6 as long as one of its links would stop listening to its router for that.
   */
  apply(state: HostState, network: HostNetwork): Promise<HostChange>;
}
