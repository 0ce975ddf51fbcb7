import type { ServiceRoute } from "../anycast/service_route.ts";
import { hostPrefix } from "../ip/address.ts";
import { POD_ROUTE_METRIC, ROUTE_PROTOCOL } from "../route_protocol/route_protocol.ts";
import type { HopGroup, KernelRoutes } from "./kernel_routes.ts";
import type { FoundHop, FoundRoute, FoundRoutes } from "./read_routes.ts";
import { type GroupKind, OBJECTS, removeNexthop } from "./route_lines.ts";

export interface AdoptedRoutes extends KernelRoutes {
  /** What else of ours is there: what to say of it, and the line that removes it. */
  readonly strays: readonly { readonly phrase: string; readonly line: string }[];
}

/**
 * Takes for this driver's what it finds of flock's, whoever made it: a group belongs to the address whose route leads to it, or, where
 * that is lost, to the one that it was made for. Pure.
 *
 * @param options `left` is what this driver left; nothing when it starts
 */
export function adoptRoutes(
  found: FoundRoutes,
  { left, wanted, kind }: { left: KernelRoutes; wanted: readonly ServiceRoute[]; kind: GroupKind },
): AdoptedRoutes {
  const own = [...found.groups].filter(([, group]) => group.kind === kind);
  const hops = adoptHops(found.hops, new Set(own.flatMap(([, { members }]) => members)));
  const hopsOf = new Map(own.map(([id, { members }]) => [id, nameMembers(members, hops)]));
  const [lost, whole] = [unrouted(found.routes, { hopsOf, left }), routed(found.routes, { hopsOf, left })];
  const groups = new Map([...lost, ...whole].map((group) => [group.address.text, group]));
  const used = new Set([...hops.values(), [...groups.values()].map(({ id }) => id)].flat());
  const unused = [...found.own].filter((id) => !used.has(id));
  const unwanted = found.routes.filter((route) => !isIn(groups, route) && !isReplaced(route, wanted));
  return {
    hops,
    groups,
    strays: [
      ...unwanted.map(({ destination, by, metric }) => ({
        phrase: `route to ${destination} was left over`,
        line: `route del ${destination} ${by} proto ${ROUTE_PROTOCOL} metric ${metric}`,
      })),
      ...unused.map((id) => ({ phrase: `nexthop ${id} was left over`, line: removeNexthop(id) })),
    ],
  };
}

/** Of more objects than a hop needs those that are in use, lest flows move; what has fewer is none. */
function adoptHops(found: readonly FoundHop[], used: ReadonlySet<number>): Map<string, readonly number[]> {
  const ordered = [...found.filter(({ id }) => used.has(id)), ...found.filter(({ id }) => !used.has(id))];
  const byKey = Map.groupBy(ordered, ({ key }) => key);
  return new Map([...byKey].flatMap(([key, objects]) => {
    const needed = OBJECTS[objects[0]?.family ?? 6];
    return objects.length < needed ? [] : [[key, objects.slice(0, needed).map(({ id }) => id)] as const];
  }));
}

function nameMembers(members: readonly number[], hops: ReadonlyMap<string, readonly number[]>): string[] {
  const whole = [...hops].filter(([, ids]) => ids.every((id) => members.includes(id)));
  const known = new Set(whole.flatMap(([, ids]) => ids));
  const others = members.filter((id) => !known.has(id)).map((id) => `nexthop ${id}`);
  return [...whole.map(([key]) => key), ...others].sort();
}

type HopsById = ReadonlyMap<number, readonly string[]>;

/** Of two routes to one group the one that it was made for keeps it. */
function routed(
  routes: readonly FoundRoute[],
  { hopsOf, left }: { hopsOf: HopsById; left: KernelRoutes },
): HopGroup[] {
  const found = routes.flatMap(({ whole }) => whole ?? []);
  const isOwner = ({ address, group }: typeof found[number]): boolean => left.groups.get(address.text)?.id === group;
  const owners = new Map([...found, ...found.filter(isOwner)].map((each) => [each.group, each]));
  return [...owners.values()].flatMap(({ address, group }) => {
    const hops = hopsOf.get(group);
    return hops === undefined ? [] : [{ address, id: group, hops, routed: true }];
  });
}

/**
 * Groups that lost their route. To one that somebody altered another group is made: IPv4 gives a route the metrics of any other that leads
 * to the same nexthop object, and so would keep what was altered (fib_find_info_nh() does not compare them).
 */
function unrouted(
  routes: readonly FoundRoute[],
  { hopsOf, left }: { hopsOf: HopsById; left: KernelRoutes },
): HopGroup[] {
  const led = new Set(routes.map(({ by }) => by));
  return [...left.groups.values()].flatMap(({ address, id }) => {
    const hops = hopsOf.get(id);
    return hops === undefined || led.has(`nhid ${id}`) ? [] : [{ address, id, hops, routed: false }];
  });
}

function isIn(groups: ReadonlyMap<string, HopGroup>, { whole }: FoundRoute): boolean {
  return whole !== undefined && groups.get(whole.address.text)?.id === whole.group;
}

/** The one that is about to be set takes its place. */
function isReplaced({ destination, metric }: FoundRoute, wanted: readonly ServiceRoute[]): boolean {
  return metric === POD_ROUTE_METRIC &&
    wanted.some(({ address }) => [address.text, hostPrefix(address).text].includes(destination));
}
