/** What of ours the kernel holds for anycast addresses: nexthop objects for each hop, for each address a group of them, and a route to it. */
import type { ServiceHop, ServiceRoute } from "../anycast/service_route.ts";
import type { Address } from "../ip/address.ts";

export interface HopGroup {
  readonly address: Address;
  /** Of the nexthop object. */
  readonly id: number;
  /** Keys of its hops, and `nexthop ID` of what else is in it; sorted. */
  readonly hops: readonly string[];
  /** Whether the address's route leads to it. */
  readonly routed: boolean;
}

export interface KernelRoutes {
  /** Key of a hop -> ids of its nexthop objects. */
  readonly hops: ReadonlyMap<string, readonly number[]>;
  /** Address -> its group. */
  readonly groups: ReadonlyMap<string, HopGroup>;
}

/** Hops are the same whose keys are. */
export function hopKey({ via, link }: { via: Pick<ServiceHop["via"], "text">; link: string }): string {
  return `${via.text} dev ${link}`;
}

/** @returns the keys of all hops that are wanted, each once */
export function wantedHops(routes: readonly ServiceRoute[]): ReadonlyMap<string, ServiceHop> {
  return new Map(routes.flatMap(({ hops }) => hops).map((hop) => [hopKey(hop), hop]));
}

/** @returns a phrase for each thing that is wanted, was left so and is otherwise by now, and for each route that is there unasked */
export function describeDrift(
  { left, found, wanted }: { left: KernelRoutes; found: KernelRoutes; wanted: readonly ServiceRoute[] },
): string[] {
  const addresses = new Set(wanted.map(({ address }) => address.text));
  const surplus = [...found.groups.keys()].filter((address) => !addresses.has(address) && !left.groups.has(address));
  return [
    ...wanted.flatMap((route) => describeRoute(route, { left, found })),
    ...surplus.map((address) => `route to ${address} was left over`),
  ];
}

function describeRoute(
  { address: { text }, hops }: ServiceRoute,
  { left, found }: { left: KernelRoutes; found: KernelRoutes },
): string[] {
  const [before, now] = [left.groups.get(text), found.groups.get(text)];
  if (before === undefined) return [];
  const kept = hops.map(hopKey).filter((key) => before.hops.includes(key) && now?.hops.includes(key) !== true);
  const strange = now?.hops.filter((key) => !before.hops.includes(key)) ?? [];
  return [
    ...kept.map((key) => `next hop ${key} of ${text} is missing`),
    ...strange.map((key) => `${key} of ${text} is not ours`),
    ...(before.routed && now?.routed !== true ? [`route to ${text} is missing or altered`] : []),
  ];
}

/**
 * Says of each object what the kernel's messages say when it is so: `nexthop 7` -> `203.0.113.7 dev flock0a1b2c3d`, `nexthop 9` -> `7/8`,
 * the ids of its hops' objects in ascending order, and `route 192.0.2.53` -> `9`.
 */
export function tellRoutes({ hops, groups }: KernelRoutes): ReadonlyMap<string, string> {
  return new Map([
    ...[...hops].flatMap(([key, ids]) => ids.map((id) => [`nexthop ${id}`, key] as const)),
    ...[...groups.values()].flatMap(({ address, id, hops: keys, routed }) => {
      const members = keys.flatMap((key) => hops.get(key) ?? []).sort((a, b) => a - b);
      return [
        [`nexthop ${id}`, members.join("/")] as const,
        ...(routed ? [[`route ${address.text}`, String(id)] as const] : []),
      ];
    }),
  ]);
}
