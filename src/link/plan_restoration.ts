/** What puts a host end right that somebody altered, as lines for `ip -batch`. Pure. */
import { NEXT_HOP } from "../next_hop/next_hop.ts";
import type { Attachment } from "./attachment_driver.ts";
import { HOST_MAC } from "./host_mac.ts";
import { renderAlias } from "./link_alias.ts";
import { NEXT_HOP_LENGTH, planHostEnd } from "./plan_attachment.ts";
import type { KernelLink } from "./read_kernel.ts";

/**
 * The link itself, before its sysctls: the MTU first, since below 1280 a link has no IPv6 sysctls. What makes the kernel drop the link's
 * neighbours, permanent ones too, is written only where it differs: MAC and ARP (neigh_changeaddr()), and leaving a
 * master, for a VRF takes the link down and up. An address of another length stays under `address replace`, which knows it by its bits.
 */
export function planLinkRestoration(attachment: Attachment, link: KernelLink): string[] {
  const { hostLink, mtu } = attachment;
  const alias = renderAlias(attachment);
  const lengths = link.addresses.filter(({ text }) => text === NEXT_HOP[6]).map(({ length }) => length);
  return [
    `link set dev ${hostLink} mtu ${mtu}`,
    ...(link.master === undefined ? [] : [`link set dev ${hostLink} nomaster`]),
    ...(link.arp ? [] : [`link set dev ${hostLink} arp on`]),
    ...(link.mac === HOST_MAC ? [] : [`link set dev ${hostLink} address ${HOST_MAC}`]),
    ...(link.alias === alias ? [] : [`link set dev ${hostLink} alias "${alias}"`]),
    ...lengths.filter((length) => length !== NEXT_HOP_LENGTH).map((length) =>
      `address del ${NEXT_HOP[6]}/${length} dev ${hostLink}`
    ),
  ];
}

/** All that hangs on the link, once its sysctls are set. */
export function planEndRestoration(attachment: Attachment): string[] {
  return planHostEnd(attachment).filter((line) => !line.includes("addrgenmode"));
}
