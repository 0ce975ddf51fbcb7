import type { Address } from "../ip/address.ts";

/** One pod of this node behind an anycast address. */
export interface ServiceHop {
  /** The host end of the pod's veth. */
  readonly link: string;
  /** The pod's own unicast address of the same family: an IPv6 address on `lo` answers no neighbour solicitation. */
  readonly via: Address;
}

/** An anycast address and the pods of this node that answer it. */
export interface ServiceRoute {
  readonly address: Address;
  /** At least one; sorted by `via`, each link once. */
  readonly hops: readonly ServiceHop[];
}
