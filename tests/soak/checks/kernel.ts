/** All that a node's kernel shows of its network, read in one go and not yet judged. */
import { records } from "../../lab/json.ts";
import type { LabNode } from "../../lab/node.ts";

export type Row = Readonly<Record<string, unknown>>;

export interface KernelSight {
  /** With details, so with `inet6_addr_gen_mode`. */
  readonly links: readonly Row[];
  readonly addresses: readonly Row[];
  /** Of all tables and both families. */
  readonly routes: readonly Row[];
  readonly rules: readonly Row[];
  /** The permanent ones. */
  readonly neighbours: readonly Row[];
  /** What nft says of all tables, as text. */
  readonly ruleset: string;
  /** `ipv4/conf/lo/forwarding` -> value */
  readonly sysctls: ReadonlyMap<string, string>;
}

/** No sysctl of a link is left out; what cannot be read is. */
const SYSCTL_SCRIPT = "cd /proc/sys/net && grep -rHs . ipv4/conf ipv6/conf ipv4/ip_forward " +
  "ipv4/fib_multipath_hash_policy ipv6/fib_multipath_hash_policy; true";

export async function readKernel(node: LabNode): Promise<KernelSight> {
  const ip = async (...words: string[]): Promise<Row[]> =>
    records(JSON.parse((await node.output(["ip", "-j", ...words])).trim() || "[]"));
  const [links, addresses, routes, rules4, rules6, neighbours, ruleset, settings] = await Promise.all([
    ip("-d", "link", "show"),
    ip("address", "show"),
    ip("-d", "route", "show", "table", "all"),
    ip("-4", "rule", "show"),
    ip("-6", "rule", "show"),
    ip("neigh", "show", "nud", "permanent"),
    node.output(["nft", "-j", "list", "ruleset"]),
    node.output(["sh", "-c", SYSCTL_SCRIPT]),
  ]);
  return {
    ...{ links, addresses, routes, neighbours, ruleset, sysctls: parseSysctls(settings) },
    rules: [...rules4.map((rule) => ({ family: 4, ...rule })), ...rules6.map((rule) => ({ family: 6, ...rule }))],
  };
}

/** @param text lines of `name:value` */
export function parseSysctls(text: string): ReadonlyMap<string, string> {
  const lines = text.split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

/** @returns whatever of a route does not change by itself, in one line */
export function describeRoute(route: Row): string {
  const { type = "unicast", dst, gateway, dev, protocol, scope, metric, table = "main", nexthops, prefsrc } = route;
  const fields = Object.entries({ via: gateway, dev, table, proto: protocol, scope, metric, src: prefsrc })
    .filter(([, value]) => value !== undefined).map(([key, value]) => `${key} ${value}`);
  const hops = nexthops === undefined ? [] : [`nexthops ${JSON.stringify(nexthops)}`];
  return [`${type} ${dst}`, ...fields, ...hops].join(" ");
}

/** @returns flags, MTU and so on of a link, one line each */
export function describeLink(link: Row): string[] {
  const { ifname, mtu, address, flags, master, inet6_addr_gen_mode: addrgenmode } = link;
  const has = (flag: string): boolean => Array.isArray(flags) && flags.includes(flag);
  return [
    `${ifname} mtu ${mtu}`,
    `${ifname} address ${address}`,
    `${ifname} addrgenmode ${addrgenmode}`,
    `${ifname} ${has("UP") ? "up" : "down"}`,
    ...(has("NOARP") ? [`${ifname} without ARP`] : []),
    ...(master === undefined ? [] : [`${ifname} master ${master}`]),
  ];
}

/** @param link as `ip address` has it. @returns `lo 127.0.0.1/8 scope host` */
export function describeAddresses({ ifname, addr_info: infos }: Row): string[] {
  return records(infos).map(({ local, prefixlen, scope, tentative, valid_life_time: life }) => {
    const passing = tentative === true || life !== 4294967295 ? " not for good" : "";
    return `${ifname} ${local}/${prefixlen} scope ${scope}${passing}`;
  });
}
