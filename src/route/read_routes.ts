/** Reads what of ours the kernel has for anycast addresses. Changes nothing. */
import type { CommandRunner } from "../exec/command_runner.ts";
import { type IpObject, readIpJson } from "../exec/read_ip_json.ts";
import { type Address, type Family, parseAddress } from "../ip/address.ts";
import { POD_ROUTE_METRIC, ROUTE_PROTOCOL } from "../route_protocol/route_protocol.ts";
import { hopKey } from "./kernel_routes.ts";
import { BUCKETS, type GroupKind, IDLE_S, UNBALANCED_S } from "./route_lines.ts";

export interface FoundRoutes {
  /** Of all nexthop objects, whoever's. */
  readonly taken: ReadonlySet<number>;
  /** Ids of ours. */
  readonly own: ReadonlySet<number>;
  /** Those of them that lead to a pod as we make them. */
  readonly hops: readonly FoundHop[];
  /** By id; of ours, as we make them. */
  readonly groups: ReadonlyMap<number, FoundGroup>;
  /** Routes of our protocol by way of a nexthop object or gateway; the pods' own have none and are not among them. */
  readonly routes: readonly FoundRoute[];
}

export interface FoundHop {
  readonly id: number;
  readonly key: string;
  readonly link: string;
  readonly family: Family;
}

export interface FoundGroup {
  readonly kind: GroupKind;
  /** Ids. */
  readonly members: readonly number[];
}

export interface FoundRoute {
  /** As ip prints it. */
  readonly destination: string;
  readonly metric: number;
  /** What it leads to, in words that choose this route among others to the same destination. */
  readonly by: string;
  /** Where the route is as we make them: the address, and the id of what it leads to. */
  readonly whole?: { readonly address: Address; readonly group: number };
}

/** What a route of ours has, as `ip -j` prints it; anything else somebody gave it. */
const ROUTE_KEYS = new Set(["dst", "nhid", "gateway", "dev", "metric", "protocol", "flags", "pref", "nexthops"]);

/** @throws when ip fails */
export async function readRoutes({ runner, ip }: { runner: CommandRunner; ip: string }): Promise<FoundRoutes> {
  const words = ["route", "show", "proto", String(ROUTE_PROTOCOL)];
  const [nexthops = [], routes4 = [], routes6 = []] = await Promise.all([
    readIpJson(runner, [ip, "-j", "nexthop", "show"]),
    readIpJson(runner, [ip, "-j", "-4", ...words]),
    readIpJson(runner, [ip, "-j", "-6", ...words]),
  ]);
  const own = nexthops.filter(({ protocol }) => protocol === String(ROUTE_PROTOCOL));
  return {
    taken: new Set(nexthops.map(({ id }) => Number(id))),
    own: new Set(own.map(({ id }) => Number(id))),
    hops: own.flatMap(parseHop),
    groups: new Map(own.flatMap(parseGroup)),
    routes: [...routes4, ...routes6].flatMap(parseRoute),
  };
}

/** @returns host link -> the addresses that routes as we make them lead there, each once. Pure */
export function servedByLink({ hops, groups, routes }: FoundRoutes): ReadonlyMap<string, readonly Address[]> {
  const linkOf = new Map(hops.map(({ id, link }) => [id, link]));
  const served = routes.flatMap(({ whole }) => {
    const members = whole === undefined ? [] : groups.get(whole.group)?.members ?? [];
    const links = new Set(members.flatMap((id) => linkOf.get(id) ?? []));
    return whole === undefined ? [] : [...links].map((link) => ({ link, address: whole.address }));
  });
  const byLink = Map.groupBy(served, ({ link }) => link);
  return new Map([...byLink].map(([link, each]) => [link, each.map(({ address }) => address)]));
}

function parseHop({ id, gateway, dev, flags, encap }: IpObject): FoundHop[] {
  const via = typeof gateway === "string" ? parseAddress(gateway) : undefined;
  if (via === undefined || encap !== undefined || !Array.isArray(flags) || !flags.includes("onlink")) return [];
  const link = String(dev);
  return [{ id: Number(id), key: hopKey({ via, link }), link, family: via.family }];
}

function parseGroup(raw: IpObject): [id: number, group: FoundGroup][] {
  const found: unknown[] = Array.isArray(raw["group"]) ? raw["group"] : [];
  const members = found.flatMap((member) => plainMember(member) ?? []);
  const kind = kindOf(raw);
  if (members.length === 0 || members.length < found.length || kind === undefined) return [];
  return [[Number(raw["id"]), { kind, members }]];
}

/** @returns the id; undefined where it has a weight, which is printed where it is not 1 */
function plainMember(member: unknown): number | undefined {
  const fields = typeof member === "object" && member !== null ? Object.entries(member) : [];
  const [[key, id] = []] = fields;
  return fields.length === 1 && key === "id" ? Number(id) : undefined;
}

/** @returns undefined for another size or other timers than we give a group */
function kindOf({ type, resilient_args: args }: IpObject): GroupKind | undefined {
  if (type === undefined || type === "mpath") return "ordinary";
  const found = new Map(typeof args === "object" && args !== null ? Object.entries(args) : []);
  const wanted = [["buckets", BUCKETS], ["idle_timer", IDLE_S], ["unbalanced_timer", UNBALANCED_S]] as const;
  return type === "resilient" && wanted.every(([key, value]) => found.get(key) === value) ? "resilient" : undefined;
}

function parseRoute(raw: IpObject): FoundRoute[] {
  const { dst, dev, nhid, gateway } = raw;
  const by = typeof nhid === "number" ? `nhid ${nhid}` : typeof gateway === "string" ? `via ${gateway} dev ${dev}` : "";
  if (by === "") return [];
  const [destination, metric] = [String(dst), Number(raw["metric"] ?? 0)];
  const address = parseAddress(destination);
  const asMade = metric === POD_ROUTE_METRIC && Object.keys(raw).every((key) => ROUTE_KEYS.has(key));
  const whole = asMade && address !== undefined && typeof nhid === "number" ? { address, group: nhid } : undefined;
  return [{ destination, metric, by, ...(whole === undefined ? {} : { whole }) }];
}
