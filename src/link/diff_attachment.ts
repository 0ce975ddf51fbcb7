/** What should be against what is, one phrase for each difference. Pure. */
import type { Address } from "../ip/address.ts";
import { NEXT_HOP } from "../next_hop/next_hop.ts";
import type { Attachment, ReportedPodEnd } from "./attachment_driver.ts";
import { POD_ROUTE_METRIC } from "../route_protocol/route_protocol.ts";
import { HOST_MAC } from "./host_mac.ts";
import { planSysctls } from "./plan_attachment.ts";
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
    ...gatewayMissing(attachment, link),
    ...addresses.filter(({ text }) => !routes.some((route) => isPodRoute(route, { text, hostLink })))
      .map(({ text }) => `host route ${text} dev ${hostLink} is missing`),
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
  const routed = families.filter((family) => reported?.defaultRoutes.includes(family) ?? true);
  return [
    ...diffLink(link, { name: ifname, mac: podMac, mtu }),
    ...addresses.filter((address) => !holds(link, address)).map(({ text }) =>
      `address ${text} on ${ifname} is missing`
    ),
    ...routed.filter((family) =>
      !routes.some(({ destination, gateway }) => destination === "default" && gateway === NEXT_HOP[family])
    )
      .map((family) => `default route via ${NEXT_HOP[family]} dev ${ifname} is missing`),
    ...families.filter((family) => !hasNeighbor(neighbors, NEXT_HOP[family], HOST_MAC))
      .map((family) => `permanent neighbour ${NEXT_HOP[family]} on ${ifname} is missing`),
  ];
}

/** Of another metric it might lose against what the router says, or lie beside ours for good. */
function isPodRoute({ destination, link, metric }: KernelRoute, wanted: { text: string; hostLink: string }): boolean {
  return destination === wanted.text && link === wanted.hostLink && metric === POD_ROUTE_METRIC;
}

function diffLink(link: KernelLink, wanted: { name: string; mac: string; mtu: number }): string[] {
  return [
    ...(link.up ? [] : [`link ${wanted.name} is down`]),
    ...(link.mtu === wanted.mtu ? [] : [`link ${wanted.name} has MTU ${link.mtu} instead of ${wanted.mtu}`]),
    ...(link.mac === wanted.mac ? [] : [`link ${wanted.name} has MAC ${link.mac} instead of ${wanted.mac}`]),
  ];
}

function gatewayMissing({ hostLink, addresses }: Attachment, link: KernelLink): string[] {
  const wanted = addresses.some(({ family }) => family === 6);
  const has = link.addresses.some(({ text }) => text === NEXT_HOP[6]);
  return wanted && !has ? [`address ${NEXT_HOP[6]} on ${hostLink} is missing`] : [];
}

function holds(link: KernelLink, address: Address): boolean {
  return link.addresses.some(({ text }) => text === address.text);
}

function hasNeighbor(neighbors: readonly KernelNeighbor[], address: string, mac: string): boolean {
  return neighbors.some((neighbor) => neighbor.permanent && neighbor.address === address && neighbor.mac === mac);
}
