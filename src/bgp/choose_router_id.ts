import { fnv1a32 } from "../hash/fnv.ts";
import { type Address, addressOf, compareIp } from "../ip/address.ts";
import { chooseLocalAddress, type NodeAddress } from "./choose_local_address.ts";

/** What a router id may be made of. */
export interface RouterIdSources {
  /** `spec.bgp.routerId`: wins. */
  readonly configured?: Address;
  readonly peers: readonly Address[];
  readonly addresses: readonly NodeAddress[];
  readonly nodeName: string;
}

/**
 * The router id (spec section 7): the configured one; else the node's IPv4 address, preferring the one that a peer sees, then
 * permanent ones, then the lowest; else a number made of the node's name. A changed router id resets every session, so the
 * choice depends on the order of nothing.
 *
 * @returns an IPv4 address, never 0.0.0.0
 */
export function chooseRouterId(sources: RouterIdSources): Address {
  return sources.configured ?? towardsPeer(sources) ?? lowestGlobal(sources.addresses) ?? hashed(sources.nodeName);
}

function towardsPeer({ peers, addresses }: RouterIdSources): Address | undefined {
  const ordered = peers.filter((peer) => peer.family === 4).sort(compareIp);
  return ordered.flatMap((peer) => chooseLocalAddress(addresses, peer) ?? [])[0];
}

function lowestGlobal(addresses: readonly NodeAddress[]): Address | undefined {
  const candidates = addresses.filter(({ address, scope }) => address.family === 4 && scope === "global");
  const permanent = candidates.filter((candidate) => candidate.permanent);
  const pool = permanent.length > 0 ? permanent : candidates;
  return pool.map(({ address }) => address).sort(compareIp)[0];
}

/** The first octet is 1 to 126: routers refuse an id of class D, some also of class E or 127/8 (RFC 4271 section 6.2). */
function hashed(nodeName: string): Address {
  const hash = fnv1a32(nodeName);
  const firstOctet = 1 + (hash >>> 24) % 126;
  return addressOf(4, (BigInt(firstOctet) << 24n) | BigInt(hash & 0xffffff));
}
