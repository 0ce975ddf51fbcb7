/**
 * The router: its BGP table, its RIB and its kernel hold what nodes must tell of, each by all of its next hops, and
 * nothing else from nodes.
 */
import { record, records } from "../../lab/json.ts";
import type { Router } from "../../lab/router.ts";
import { compare } from "./compare.ts";
import { familyOf } from "./expectation.ts";

export interface RouterSight {
  /** `198.18.0.0/22 via 192.0.2.10`, of all paths that nodes sent. */
  readonly paths: readonly string[];
  /** The same of zebra's RIB, the selected ones. An IPv6 next hop may be a link-local one. */
  readonly rib: readonly string[];
  readonly kernel: readonly string[];
  /** `192.0.2.10 Established`. */
  readonly sessions: readonly string[];
}

export async function readRouter(router: Router): Promise<RouterSight> {
  const kernelRoutes = async (family: string): Promise<string[]> => {
    const text = await router.output(["ip", "-j", family, "route", "show", "proto", "bgp"]);
    return records(JSON.parse(text.trim() || "[]")).map(({ dst, gateway, nexthops }) =>
      `${dst} via ${inOrder(gateway === undefined ? records(nexthops).map((hop) => hop["gateway"]) : [gateway])}`
    );
  };
  const [table, rib4, rib6, four, six, neighbours] = await Promise.all([
    router.bgpRoutes(),
    router.vtysh("show ip route bgp json"),
    router.vtysh("show ipv6 route bgp json"),
    kernelRoutes("-4"),
    kernelRoutes("-6"),
    router.neighbors(),
  ]);
  return {
    paths: [...table].flatMap(([prefix, paths]) =>
      paths.filter(({ asPath }) => asPath !== "").map(({ nextHops: [hop] }) => `${prefix} via ${hop}`)
    ),
    rib: [...parseRib(rib4), ...parseRib(rib6)],
    kernel: [...four, ...six],
    sessions: neighbours.map(({ address, state }) => `${address} ${state}`),
  };
}

/** @param json what `show ip route bgp json` writes */
export function parseRib(json: string): string[] {
  return Object.entries(record(JSON.parse(json))).flatMap(([prefix, routes]) =>
    records(routes).filter(({ selected }) => selected === true).map(({ nexthops }) => {
      const hops = records(nexthops).filter(({ fib }) => fib === true).map(({ ip }) => String(ip));
      return `${prefix} via ${inOrder(hops) || "nothing"}`;
    })
  );
}

/** @param expected prefix -> all of its next hops */
export function judgeRouter(
  { paths, rib, kernel, sessions }: RouterSight,
  expected: ReadonlyMap<string, readonly string[]>,
): string[] {
  const global = [...expected].flatMap(([prefix, hops]) => hops.map((hop) => `${prefix} via ${hop}`));
  const installed = [...expected].map(([prefix, hops]) => `${prefix} via ${inOrder(hops.map(linkLocalOf))}`);
  const inKernel = installed.map((line) => line.replace(/^(\S+)\/(32|128) /, "$1 "));
  const peers = [...new Set([...expected.values()].flat())].map((address) => `${address} Established`);
  return [
    ...compare("BGP table of the router", paths, global),
    ...compare("RIB of the router", rib, installed),
    ...compare("kernel of the router", kernel, inKernel),
    ...compare("sessions of the router", sessions, peers),
  ];
}

function inOrder(hops: readonly unknown[]): string {
  return hops.map(String).sort().join(" and ");
}

/** FRR prefers a peer's link-local next hop, which the lab derives from the last group of its address. */
function linkLocalOf(address: string): string {
  return familyOf(address) === 4 ? address : `fe80::ff:${address.slice(address.lastIndexOf(":") + 1)}`;
}
