/** The upstream router: FRR, which takes BGP sessions from any node, whatever its AS. */
import type { Family } from "../../src/ip/address.ts";
import { parsePrefix } from "../../src/ip/address.ts";
import type { Place } from "./place.ts";
import { ROUTER_ASN } from "./topology.ts";
import { record, records } from "./json.ts";
import { exists, until } from "./until.ts";

/** One path of a prefix in the router's BGP table. */
export interface BgpPath {
  readonly best: boolean;
  readonly multipath: boolean;
  /** AS numbers, nearest first, as text. */
  readonly asPath: string;
  /** Next hops, global ones before link-local ones. */
  readonly nextHops: readonly string[];
}

export interface Neighbor {
  readonly address: string;
  readonly asn: number;
  /** FRR's word: Established, Active, Idle, ... */
  readonly state: string;
  /** How many prefixes it sent that were accepted. */
  readonly prefixes: number;
}

export interface Router extends Place {
  /** When it was started, by `performance.now()`. */
  readonly startedAt: number;
  /** @returns FRR's answer to one command */
  vtysh(command: string): Promise<string>;
  /** prefix -> its paths, both families unless one is named */
  bgpRoutes(family?: Family): Promise<ReadonlyMap<string, readonly BgpPath[]>>;
  neighbors(): Promise<readonly Neighbor[]>;
  /** Waits until the router's kernel has a route for exactly this prefix. @throws after `timeoutMs` (default 10 000) */
  waitForRoute(prefix: string, options?: { timeoutMs?: number }): Promise<void>;
  /**
   * Waits until the router's kernel shares exactly this prefix between so many next hops.
   *
   * @throws after `timeoutMs` (default 10 000)
   */
  waitForPaths(prefix: string, count: number, options?: { timeoutMs?: number }): Promise<void>;
  /** Waits until the router's kernel has none. @throws after `timeoutMs` (default 10 000) */
  waitForNoRoute(prefix: string, options?: { timeoutMs?: number }): Promise<void>;
}

const BGPD_CONF = `router bgp ${ROUTER_ASN}
 bgp router-id 192.0.2.1
 no bgp default ipv4-unicast
 no bgp ebgp-requires-policy
 bgp bestpath as-path multipath-relax
 neighbor N4 peer-group
 neighbor N4 remote-as external
 neighbor N6 peer-group
 neighbor N6 remote-as external
 bgp listen range 192.0.2.0/24 peer-group N4
 bgp listen range 2001:db8:1::/64 peer-group N6
 address-family ipv4 unicast
  neighbor N4 activate
  maximum-paths 8
  network 192.0.2.0/24
  network 198.51.100.0/24
 exit-address-family
 address-family ipv6 unicast
  neighbor N6 activate
  maximum-paths 8
  network 2001:db8:1::/64
  network 2001:db8:c::/64
 exit-address-family
`;

/**
 * For so long after its start FRR says in every OPEN that it restarts (RFC 4724, the R bit). Who restarts meanwhile
 * does not wait for what FRR has to tell, but gives up at once what it does not tell at once: so says the RFC, lest two
 * restarting ones wait for each other.
 */
export const FRR_STARTS_MS = 120_000;

/** The router's own settings, for when its place is made. */
export const ROUTER_SYSCTLS = {
  "net/ipv4/ip_forward": "1",
  "net/ipv6/conf/all/forwarding": "1",
  "net/ipv4/fib_multipath_hash_policy": "1",
  "net/ipv6/fib_multipath_hash_policy": "1",
};

/**
 * Has zebra replace an IPv6 route whose next hops change. Else it deletes the route and adds the new one, and packets between the two are
 * lost: 15 of 50 000 in 80 changes, none with it.
 */
const LOSSLESS = ["--v6-rr-semantics"];

/**
 * Starts zebra and bgpd at their ordinary paths, which are the place's own: an FRR of the machine is not concerned.
 * Needs no links yet. Resolves when bgpd answers.
 */
export async function startRouter(place: Place): Promise<Router> {
  await Promise.all([
    place.write("/etc/frr/zebra.conf", "log stdout\n"),
    place.write("/etc/frr/bgpd.conf", BGPD_CONF),
    place.write("/etc/frr/vtysh.conf", ""),
  ]);
  await place.output(["sh", "-c", "install -d -o frr -g frr /run/frr && chown -R frr:frr /etc/frr"]);
  const local = ["-A", "127.0.0.1", "-P", "0"];
  await place.spawn("zebra", ["/usr/lib/frr/zebra", ...LOSSLESS, "-f", "/etc/frr/zebra.conf", ...local]);
  await until("zebra has its socket", () => exists(place.outside("/run/frr/zserv.api")));
  await place.spawn("bgpd", ["/usr/lib/frr/bgpd", "-f", "/etc/frr/bgpd.conf", ...local]);
  await until(
    "bgpd answers",
    async () => (await place.exec(["vtysh", "-d", "bgpd", "-c", "show bgp summary"])).code === 0,
  );
  return routerOf(place);
}

function routerOf(place: Place): Router {
  const vtysh = (command: string): Promise<string> => place.output(["vtysh", "-c", command]);
  const nextHopsOf = async (prefix: string): Promise<number> => {
    const family = parsePrefix(prefix)?.family === 6 ? "-6" : "-4";
    const routes = await place.output(["ip", "-j", family, "route", "show", "exact", prefix]);
    return records(JSON.parse(routes.trim() || "[]"))
      .reduce((count, { nexthops }) => count + Math.max(1, records(nexthops).length), 0);
  };
  return {
    ...place,
    startedAt: performance.now(),
    vtysh,
    bgpRoutes: async (family?: Family) => {
      const families = family === undefined ? [4, 6] : [family];
      const tables = await Promise.all(families.map((f) => vtysh(`show bgp ipv${f} unicast json`)));
      return new Map(tables.flatMap((table) => Object.entries(JSON.parse(table).routes).map(parsePaths)));
    },
    neighbors: async () => parseNeighbors(JSON.parse(await vtysh("show bgp summary json"))),
    waitForRoute: async (prefix: string, options = {}) => {
      await until(`the router has ${prefix}`, async () => await nextHopsOf(prefix) > 0, options);
    },
    waitForPaths: async (prefix: string, count: number, options = {}) => {
      await until(
        `the router has ${prefix} by ${count} next hops`,
        async () => await nextHopsOf(prefix) === count,
        options,
      );
    },
    waitForNoRoute: async (prefix: string, options = {}) => {
      await until(`the router has no ${prefix}`, async () => await nextHopsOf(prefix) === 0, options);
    },
  };
}

function parsePaths([prefix, paths]: [string, unknown]): [string, BgpPath[]] {
  const parsed = records(paths).map((path): BgpPath => ({
    best: path["bestpath"] === true,
    multipath: path["multipath"] === true,
    asPath: String(path["path"] ?? ""),
    nextHops: records(path["nexthops"]).map((hop) => String(hop["ip"])),
  }));
  return [prefix, parsed];
}

/** A node that peers over both families appears once for each session. */
function parseNeighbors(summary: unknown): Neighbor[] {
  return Object.values(record(summary)).flatMap((family) =>
    Object.entries(record(record(family)["peers"])).map(([address, peer]): Neighbor => ({
      address,
      asn: Number(record(peer)["remoteAs"]),
      state: String(record(peer)["state"]),
      prefixes: Number(record(peer)["pfxRcd"] ?? 0),
    }))
  );
}
