/** What should be against what is, one phrase for each difference. Pure. */
import type { Address, Family } from "../ip/address.ts";
import { quote } from "../fault/invalid_input.ts";
import { NEXT_HOP } from "../next_hop/next_hop.ts";
import type { Attachment, ReportedPodEnd } from "./attachment_driver.ts";
import { POD_ROUTE_METRIC } from "../route_protocol/route_protocol.ts";
import { HOST_MAC } from "./host_mac.ts";
import { renderAlias } from "./link_alias.ts";
import { NEXT_HOP_LENGTH, planSysctls } from "./plan_attachment.ts";
import type { KernelLink, KernelNeighbor, KernelRoute } from "./read_kernel.ts";

/** One end of a veth as the kernel has it; `link` is undefined when there is none. */
export interface KernelEnd {
  readonly link: KernelLink | undefined;
  readonly routes: readonly KernelRoute[];
  readonly neighbors: readonly KernelNeighbor[];
}

export function diffHostEnd(attachment: Attachment, { link, routes, neighbors }: KernelEnd): string[] {
  const { hostLink, addresses, podMac } = attachment;
  if (link === undefined) return [`host link ${hostLink} is missing`];
  return [
    ...diffLink(link, { name: hostLink, mac: HOST_MAC, mtu: attachment.mtu }),
    ...diffPlace(attachment, link),
    ...diffNextHop(attachment, link),
    ...addresses.flatMap((address) => diffPodRoute(address, { hostLink, routes })),
    ...addresses.filter(({ text }) => !hasNeighbor(neighbors, text, podMac))
      .map(({ text }) => `permanent neighbour ${text} on ${hostLink} is missing`),
  ];
}

/** @param read a sysctl below net/; undefined where the link has none, which is no difference */
export function diffSysctls(attachment: Attachment, read: (name: string) => string | undefined): string[] {
  return planSysctls(attachment).flatMap(([name, wanted]) => {
    const value = read(name);
    return value === undefined || value === wanted ? [] : [`sysctl ${name} is ${value} instead of ${wanted}`];
  });
}

/** @param reported where given, it says which MTU and default routes the end should have, and not the attachment */
export function diffPodEnd(attachment: Attachment, end: KernelEnd, reported?: ReportedPodEnd): string[] {
  const { ifname, addresses, netns, podMac } = attachment;
  const { link, routes, neighbors } = end;
  if (link === undefined) return [`interface ${ifname} in ${netns} is missing`];
  const families = [...new Set(addresses.map(({ family }) => family))];
  const mtu = reported === undefined ? attachment.mtu : reported.mtu ?? link.mtu;
  return [
    ...diffLink(link, { name: ifname, mac: podMac, mtu }),
    ...addresses.filter((address) => !holds(link, address)).map(({ text }) =>
      `address ${text} on ${ifname} is missing`
    ),
    ...families.flatMap((family) => defaultRouteMissing(routes, { family, ifname, reported })),
    ...families.filter((family) => !hasNeighbor(neighbors, NEXT_HOP[family], HOST_MAC))
      .map((family) => `permanent neighbour ${NEXT_HOP[family]} on ${ifname} is missing`),
  ];
}

/** @param loopback the pod's `lo`; undefined where it could not be read */
export function diffLoopback({ anycast = [], netns }: Attachment, loopback: KernelLink | undefined): string[] {
  if (anycast.length === 0) return [];
  if (loopback === undefined) return [`interface lo in ${netns} is missing`];
  return [
    ...(loopback.up ? [] : ["link lo is down"]),
    ...anycast.filter((address) => !holds(loopback, address)).map(({ text }) => `address ${text} on lo is missing`),
  ];
}

/** Ours goes over our link. Over which one a later plugin's goes, its result does not tell. */
function defaultRouteMissing(
  routes: readonly KernelRoute[],
  { family, ifname, reported }: { family: Family; ifname: string; reported: ReportedPodEnd | undefined },
): string[] {
  const own = NEXT_HOP[family];
  const gateways = reported === undefined ? [own] : reported.defaultRoutes.get(family);
  if (gateways === undefined) return [];
  const isWanted = ({ gateway = "", link }: KernelRoute): boolean =>
    gateways.length === 0 || (gateways.includes(gateway) && (gateway !== own || link === ifname));
  const defaults = routes.filter((route) => route.family === family && route.destination === "default");
  if (defaults.some(isWanted)) return [];
  const via = gateways.map((gateway) => gateway === own ? `${own} dev ${ifname}` : gateway).join(" or ");
  return [via === "" ? `default route of IPv${family} is missing` : `default route via ${via} is missing`];
}

/** Of another metric it might lose against what the router says, or lie beside ours for good. */
function diffPodRoute({ text, family }: Address, end: { hostLink: string; routes: readonly KernelRoute[] }): string[] {
  const { hostLink } = end;
  const found = end.routes.filter(({ destination, link, metric }) =>
    destination === text && link === hostLink && metric === POD_ROUTE_METRIC
  );
  const [first] = found;
  if (first === undefined) return [`host route ${text} dev ${hostLink} is missing`];
  const wanted = family === 4 ? "scope link" : "";
  const said = (route: KernelRoute): string => [...gatewayOf(route), ...route.details].join(", ");
  if (found.some((route) => said(route) === wanted)) return [];
  return [`host route ${text} dev ${hostLink} was altered: ${said(first) || "another scope"}`];
}

function gatewayOf({ gateway }: KernelRoute): string[] {
  return gateway === undefined ? [] : [`via ${gateway}`];
}

/** A link with a master is a port of it: packets come from the master then, past the packet guard, which knows links by name. */
function diffPlace(attachment: Attachment, { alias, arp, master }: KernelLink): string[] {
  const { hostLink } = attachment;
  return [
    ...(master === undefined ? [] : [`link ${hostLink} has the master ${master}`]),
    ...(arp ? [] : [`link ${hostLink} has ARP off`]),
    ...(alias === renderAlias(attachment) ? [] : [`link ${hostLink} has alias ${quote(alias)}, not its owner's`]),
  ];
}

function diffLink(link: KernelLink, wanted: { name: string; mac: string; mtu: number }): string[] {
  return [
    ...(link.up ? [] : [`link ${wanted.name} is down`]),
    ...(link.mtu === wanted.mtu ? [] : [`link ${wanted.name} has MTU ${link.mtu} instead of ${wanted.mtu}`]),
    ...(link.mac === wanted.mac ? [] : [`link ${wanted.name} has MAC ${link.mac} instead of ${wanted.mac}`]),
  ];
}

function diffNextHop({ hostLink, addresses }: Attachment, link: KernelLink): string[] {
  if (!addresses.some(({ family }) => family === 6)) return [];
  const found = link.addresses.find(({ text }) => text === NEXT_HOP[6]);
  if (found === undefined) return [`address ${NEXT_HOP[6]} on ${hostLink} is missing`];
  if (found.length !== NEXT_HOP_LENGTH) return [`address ${NEXT_HOP[6]} on ${hostLink} has length ${found.length}`];
  return found.lasting ? [] : [`address ${NEXT_HOP[6]} on ${hostLink} is not there for good`];
}

function holds(link: KernelLink, address: Address): boolean {
  return link.addresses.some(({ text }) => text === address.text);
}

function hasNeighbor(neighbors: readonly KernelNeighbor[], address: string, mac: string): boolean {
  return neighbors.some((neighbor) => neighbor.permanent && neighbor.address === address && neighbor.mac === mac);
}
