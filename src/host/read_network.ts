/** The node's own network from what `ip -j` prints; unknown fields are ignored. Pure. */
import { HOST_LINK } from "../hash/container_hash.ts";
import { parseAddress, parsePrefix } from "../ip/address.ts";
import type { DefaultRoute, HostAddress, HostNetwork } from "./host_driver.ts";

type Raw = Readonly<Record<string, unknown>>;

/** Marks of an address that may go at any time, or is not (any more) to be used. */
export const FLEETING: readonly string[] = [
  "dynamic",
  "temporary",
  "tentative",
  "deprecated",
  "dadfailed",
  "mngtmpaddr",
];

/** @param links `ip -j address show`; @param routes `ip -j route show default` of each family */
export function parseNetwork(links: unknown, routes: { readonly 4: unknown; readonly 6: unknown }): HostNetwork {
  const own = listOf(links).filter((link) => !HOST_LINK.test(String(link["ifname"])));
  return {
    addresses: own.flatMap(parseAddresses),
    defaultRoutes: ([6, 4] as const).flatMap((family) =>
      listOf(routes[family]).flatMap((raw) => parseRoutes(raw, family))
    ),
    mtus: new Map(own.map((link) => [String(link["ifname"]), Number(link["mtu"])])),
  };
}

/** @returns the objects of a list; an empty one stands for what a filter of ip left out */
export function listOf(value: unknown): Raw[] {
  if (!Array.isArray(value)) throw new Error("Cannot read what ip printed: it is no list");
  return value.filter((entry): entry is Raw => typeof entry === "object" && entry !== null);
}

function parseAddresses(link: Raw): HostAddress[] {
  const name = String(link["ifname"]);
  const infos = Array.isArray(link["addr_info"]) ? listOf(link["addr_info"]) : [];
  return infos.flatMap((info) => {
    const address = parseAddress(String(info["local"]));
    const scope = scopeOf(info["scope"]);
    // What only the node itself can use (127.0.0.1, flock's 169.254.1.1) says nothing about its network.
    if (address === undefined || scope === "host") return [];
    const permanent = !FLEETING.some((mark) => info[mark] === true);
    return [{ address, length: Number(info["prefixlen"]), link: name, permanent, scope }];
  });
}

function scopeOf(scope: unknown): HostAddress["scope"] {
  return scope === "link" || scope === "host" ? scope : "global";
}

/** A multipath default route has its links in `nexthops`; one with a type (unreachable, blackhole) leads nowhere. */
function parseRoutes(route: Raw, family: 4 | 6): DefaultRoute[] {
  if (route["type"] !== undefined) return [];
  const hops = Array.isArray(route["nexthops"]) ? listOf(route["nexthops"]) : [route];
  const fromRouterAdvertisement = route["protocol"] === "ra";
  return hops.flatMap(({ dev }) => typeof dev === "string" ? [{ family, link: dev, fromRouterAdvertisement }] : []);
}

/** @returns a route's destination as Prefix.text has it: ip prints a prefix of one address without its length */
export function canonicalDestination(destination: string): string {
  const length = destination.includes(":") ? 128 : 32;
  const text = destination.includes("/") ? destination : `${destination}/${length}`;
  return parsePrefix(text)?.text ?? destination;
}
