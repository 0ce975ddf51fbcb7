/**
 * Anycast: which pods have which addresses, where they must lead, and whom routers must be told of (spec section 8).
 */
import { hostLinkName } from "../../../src/hash/container_hash.ts";
import { type Expectation, familyOf, type LiveContainer } from "./expectation.ts";
import type { Row } from "./kernel.ts";

/** Outside of every node's prefixes; not neighbours of each other, which nft would write as a range. */
const SERVICES: readonly (readonly string[])[] = [1, 3, 5].map((n) => [`198.18.255.${n}`, `2001:db8:a::${n}`]);
export const ALL_SERVICES: readonly string[] = SERVICES.flat();
/** One pod in so many has anycast addresses. */
const SHARE = 3;

/** @param podName ends in a number, which decides: a pod that is made anew has the same */
export function servicesOf(podName: string): readonly string[] {
  const number = Number(/\d+$/.exec(podName)?.[0] ?? 1);
  return number % SHARE === 0 ? SERVICES[number / SHARE % SERVICES.length] ?? [] : [];
}

export function isService(address: unknown): boolean {
  return ALL_SERVICES.includes(String(address));
}

/** anycast address -> those that serve it */
export function servedBy(live: readonly LiveContainer[]): ReadonlyMap<string, readonly LiveContainer[]> {
  const served = live.filter(({ ready }) => ready === true).flatMap((container) =>
    container.anycast.map((address) => ({ address, container }))
  );
  const byAddress = Map.groupBy(served, ({ address }) => address);
  return new Map([...byAddress].map(([address, each]) => [address, each.map(({ container }) => container)]));
}

/** What a node hears of other nodes' anycast addresses: the router tells of one path, and of none that leads back. */
export interface HeardServices {
  /** address -> the one node that it can be heard of, where nobody here serves it: the kernel has it, too. */
  readonly certain: ReadonlyMap<string, string>;
  /** `address`, and by which node; BIRD may know it beside its own. */
  readonly possible: readonly (readonly [address: string, hop: string])[];
}

export function heardOf({ live, elsewhere }: Pick<Expectation, "live" | "elsewhere">): HeardServices {
  const here = servedBy(live);
  const all = [...elsewhere].flatMap(([address, hops]) => hops.map((hop) => [address, hop] as const));
  const certain = all.filter(([address]) => !here.has(address) && elsewhere.get(address)?.length === 1);
  return { certain: new Map(certain), possible: all.filter((each) => !certain.includes(each)) };
}

/** @returns a line for each route that the kernel must have to an address which is served here */
export function describeServices(live: readonly LiveContainer[]): string[] {
  return [...servedBy(live)].map(([address, containers]) => {
    const hops = containers.map(({ id, addresses }) => `${sameFamily(addresses, address)} dev ${hostLinkName(id)}`);
    return `unicast ${address} table main proto 70 metric 20 by ${inOrder(hops)}`;
  });
}

/**
 * @param route to an anycast address.
 * @returns the same of one that the kernel has; a hop may consist of several objects
 */
export function describeServiceRoute(route: Row): string {
  const { type = "unicast", dst, table = "main", protocol, metric, nexthops } = route;
  const hops: readonly Row[] = Array.isArray(nexthops) ? nexthops : [route];
  const named = hops.map(({ gateway, dev }) => `${gateway} dev ${dev}`);
  return `${type} ${dst} table ${table} proto ${protocol} metric ${metric} by ${inOrder(named)}`;
}

function sameFamily(addresses: readonly string[], of: string): string {
  return addresses.find((address) => familyOf(address) === familyOf(of)) ?? "nothing";
}

function inOrder(hops: readonly string[]): string {
  return [...new Set(hops)].sort().join(" and ");
}
