/** What the driver says to `ip -batch`, and how the lines that failed are told apart. Pure. */
import type { ServiceHop, ServiceRoute } from "../anycast/service_route.ts";
import { HOST_LINK } from "../hash/container_hash.ts";
import { type Address, type Family, hostPrefix } from "../ip/address.ts";
import { POD_ROUTE_METRIC, ROUTE_PROTOCOL } from "../route_protocol/route_protocol.ts";

/** How a group spreads flows. An `ordinary` one spreads all of them anew when a hop comes or goes (Linux below 5.13, iproute2 below 5.12). */
export type GroupKind = "resilient" | "ordinary";

/** Flows that share a bucket stay together; shares of n hops are even but for one bucket. Some 8 KB of kernel memory for each address. */
export const BUCKETS = 256;
/**
 * A newcomer is given buckets that no packet came to for IDLE_S seconds, and after UNBALANCED_S seconds those too that it still lacks.
 * Whose hop leaves are given away at once; the others stay where they are
 * (https://docs.kernel.org/networking/nexthop-group-resilient.html).
 */
export const IDLE_S = 4;
export const UNBALANCED_S = 8;

/**
 * Nexthop objects of one hop. Of a group of one object IPv4 does not note which buckets are in use (fib_select_path() passes it by), so
 * that with the second pod half of them would move at once, in use or not; so each hop is there twice, with the same share as the others.
 */
export const OBJECTS: Readonly<Record<Family, number>> = { 4: 2, 6: 1 };

const KIND_WORDS: Readonly<Record<GroupKind, string>> = {
  resilient: ` type resilient buckets ${BUCKETS} idle_timer ${IDLE_S} unbalanced_timer ${UNBALANCED_S}`,
  ordinary: "",
};

/** A word that does not parse ends ip, and a line break would be a line. @throws when a link is not named as flock's are */
export function checkLinks(routes: readonly ServiceRoute[]): void {
  const strange = routes.flatMap(({ hops }) => hops).find(({ link }) => !HOST_LINK.test(link));
  if (strange !== undefined) throw new Error(`Cannot set routes: ${JSON.stringify(strange.link)} is no host link`);
}

/** `onlink`: the pod's own route is another driver's, and may be missing at that moment. */
export function addHop(id: number, { via, link }: ServiceHop): string {
  return `nexthop add id ${id} via ${via.text} dev ${link} onlink protocol ${ROUTE_PROTOCOL}`;
}

/** @param members ids of its hops' objects, at least one */
export function addGroup(id: number, members: readonly number[], kind: GroupKind): string {
  return `nexthop add ${groupWords(id, members, kind)}`;
}

/** Of a group of the same kind. */
export function changeGroup(id: number, members: readonly number[], kind: GroupKind): string {
  return `nexthop replace ${groupWords(id, members, kind)}`;
}

function groupWords(id: number, members: readonly number[], kind: GroupKind): string {
  return `id ${id} group ${members.join("/")}${KIND_WORDS[kind]} protocol ${ROUTE_PROTOCOL}`;
}

export function removeNexthop(id: number): string {
  return `nexthop del id ${id}`;
}

export function setRoute(address: Address, group: number): string {
  return `route replace ${hostPrefix(address).text} nhid ${group} proto ${ROUTE_PROTOCOL} metric ${POD_ROUTE_METRIC}`;
}

/** Before its group is: the kernel would search the whole table for the routes of a group that goes. */
export function removeRoute(address: Address, group: number): string {
  return `route del ${hostPrefix(address).text} nhid ${group} proto ${ROUTE_PROTOCOL} metric ${POD_ROUTE_METRIC}`;
}

/** The first ones fail where kernel or ip know no resilient groups, the last ones take away what they made. */
export function probeLines([hop, group]: readonly [number, number]): [make: string[], remove: string[]] {
  return [
    [`nexthop add id ${hop} blackhole protocol ${ROUTE_PROTOCOL}`, addGroup(group, [hop], "resilient")],
    [removeNexthop(group), removeNexthop(hop)],
  ];
}
