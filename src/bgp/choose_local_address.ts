import { type Address, compareIp, contains, prefixOf } from "../ip/address.ts";

/** An address of one of the node's own interfaces. */
export interface NodeAddress {
  readonly address: Address;
  /** The interface's real prefix length. */
  readonly length: number;
  /** False for addresses that come and go: leases, SLAAC, deprecated or tentative ones. */
  readonly permanent: boolean;
  readonly scope: "global" | "link" | "host";
}

/**
 * The node's address on the peer's subnet (spec section 7): the numerically lowest permanent one, so that a second address or a
 * privacy address that appears later moves no session.
 *
 * @returns undefined when the node has none there; BIRD then takes what the kernel would
 */
export function chooseLocalAddress(addresses: readonly NodeAddress[], peer: Address): Address | undefined {
  return addresses
    .filter(({ permanent, scope }) => permanent && scope === "global")
    .filter(({ address, length }) => contains(prefixOf(address, length), peer) && address.text !== peer.text)
    .map(({ address }) => address)
    .sort(compareIp)[0];
}

/**
 * The node's address for a peer several hops away: the numerically lowest of the family, a permanent one if there is one, for the
 * router has to name it.
 *
 * @returns undefined when the node has none of global scope
 */
export function chooseSourceAddress(addresses: readonly NodeAddress[], peer: Address): Address | undefined {
  const fitting = addresses.filter(({ address, scope }) => scope === "global" && address.family === peer.family);
  const lowest = (of: readonly NodeAddress[]): Address | undefined =>
    of.map(({ address }) => address).sort(compareIp)[0];
  return lowest(fitting.filter(({ permanent }) => permanent)) ?? lowest(fitting);
}
