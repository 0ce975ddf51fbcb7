/** Reads the ends of veths, and the routes of our own protocol, by way of iproute2. Changes nothing. */
import { HOST_LINK } from "../hash/container_hash.ts";
import type { CommandRunner } from "../exec/command_runner.ts";
import { readIpJson } from "../exec/read_ip_json.ts";
import { ROUTE_PROTOCOL } from "../route_protocol/route_protocol.ts";
import type { KernelEnd } from "./diff_attachment.ts";
import { type KernelLink, type KernelRoute, parseLink, parseNeighbor, parseRoute } from "./read_kernel.ts";

export interface IpReader {
  readonly runner: Pick<CommandRunner, "run">;
  /** ip's absolute path, and the words that choose a network namespace. */
  readonly ip: readonly [string, ...string[]];
}

/**
 * One end, by name.
 *
 * @param of `routes` are the words that choose them
 * @throws when ip fails, but not for a link or namespace that is missing
 */
export async function readEnd(
  { runner, ip }: IpReader,
  { link, routes }: { link: string; routes: readonly string[] },
): Promise<KernelEnd> {
  const [links, routes4 = [], routes6 = [], neighbors] = await Promise.all([
    readIpJson(runner, [...ip, "-j", "-d", "address", "show", "dev", link]),
    readIpJson(runner, [...ip, "-j", "-4", "route", "show", ...routes]),
    readIpJson(runner, [...ip, "-j", "-6", "route", "show", ...routes]),
    readIpJson(runner, [...ip, "-j", "neigh", "show", "dev", link]),
  ]);
  return {
    link: links?.map(parseLink).find(({ name }) => name === link),
    routes: [
      ...routes4.map((raw) => parseRoute(raw, { family: 4, link })),
      ...routes6.map((raw) => parseRoute(raw, { family: 6, link })),
    ],
    neighbors: neighbors?.map((raw) => parseNeighbor(raw, link)) ?? [],
  };
}

/** @returns the link with its addresses; undefined when there is none, or no namespace */
export async function readLink({ runner, ip }: IpReader, name: string): Promise<KernelLink | undefined> {
  const links = await readIpJson(runner, [...ip, "-j", "-d", "address", "show", "dev", name]);
  return links?.map(parseLink).find((link) => link.name === name);
}

/**
 * All host ends of flock's name, in four reads whatever their number.
 *
 * @returns name -> end, with the routes of our protocol only
 */
export async function readHostEnds({ runner, ip }: IpReader): Promise<ReadonlyMap<string, KernelEnd>> {
  const [links = [], routes, neighbors = []] = await Promise.all([
    readIpJson(runner, [...ip, "-j", "-d", "address", "show"]),
    readPodRoutes({ runner, ip }),
    readIpJson(runner, [...ip, "-j", "neigh", "show", "nud", "permanent"]),
  ]);
  const own = links.map(parseLink).filter(({ name }) => HOST_LINK.test(name));
  const routesOf = Map.groupBy(routes, ({ link }) => link);
  const neighborsOf = Map.groupBy(neighbors.map((raw) => parseNeighbor(raw)), ({ link }) => link);
  return new Map(own.map((link) => {
    const { name } = link;
    return [name, { link, routes: routesOf.get(name) ?? [], neighbors: neighborsOf.get(name) ?? [] }];
  }));
}

/** @returns all veths, of whatever name, without their addresses */
export async function readVeths({ runner, ip }: IpReader): Promise<KernelLink[]> {
  const links = await readIpJson(runner, [...ip, "-j", "-d", "link", "show", "type", "veth"]);
  return links?.map(parseLink) ?? [];
}

/**
 * @returns all routes of our protocol number, of both families, but those by way of nexthop objects: they lead to
 * anycast addresses, and
 *   are another driver's, though ip prints the link of an only next hop as if the route were the link's own
 */
export async function readPodRoutes({ runner, ip }: IpReader): Promise<KernelRoute[]> {
  const words = ["route", "show", "proto", String(ROUTE_PROTOCOL)];
  const both = await Promise.all(([4, 6] as const).map(async (family) => {
    const routes = await readIpJson(runner, [...ip, "-j", `-${family}`, ...words]) ?? [];
    return routes.filter((raw) => raw["nhid"] === undefined).map((raw) => parseRoute(raw, { family }));
  }));
  return both.flat();
}
