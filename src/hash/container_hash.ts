/** Name and MAC address of a container's link, derived from the container ID alone, so that any process can tell them. */
import { fnv1a32, fnv1a64 } from "./fnv.ts";

/** What the name of every host end starts with. */
export const HOST_LINK_PREFIX = "flock";
/** What the name of a host end looks like; nothing else on the node is flock's link. */
export const HOST_LINK = /^flock[0-9a-f]{8}$/;

/** @returns the name of a container's host end (spec section 6): `flock` and the FNV-1a-32 of the container ID in eight hexadecimal digits */
export function hostLinkName(containerId: string): string {
  return HOST_LINK_PREFIX + fnv1a32(containerId).toString(16).padStart(8, "0");
}

/**
 * @returns the MAC address of a container's own end, `xx:xx:xx:xx:xx:xx`: unicast and locally administered (IEEE 802, first octet
 *   `x2`, `x6`, `xa` or `xe`), the rest from the container ID. Two containers with the same one do no harm: each sits alone on its link
 */
export function podMacOf(containerId: string): string {
  const octets = fnv1a64(containerId).toString(16).padStart(16, "0").slice(-12).match(/../g) ?? [];
  const first = (parseInt(octets[0] ?? "0", 16) & 0xfc) | 0x02;
  return [first.toString(16).padStart(2, "0"), ...octets.slice(1)].join(":");
}
