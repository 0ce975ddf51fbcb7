/** Whether a message of the kernel says something about the node's own network that was not known. Pure. */
import type { AddressEvent, IpEvent, LinkEvent, RouteEvent } from "../exec/parse_ip_event.ts";
import { HOST_LINK } from "../hash/container_hash.ts";
import { parseAddress } from "../ip/address.ts";
import { POD_ROUTE_METRIC, ROUTE_PROTOCOL } from "../route_protocol/route_protocol.ts";
import { NEXT_HOP } from "../next_hop/next_hop.ts";
import type { HostNetwork, HostState } from "./host_driver.ts";
import { canonicalDestination, FLEETING } from "./read_network.ts";

/** What is known of the node. */
export interface KnownNode {
  /** As it was last read. */
  readonly network: HostNetwork;
  /** As they should be. */
  readonly blackholes: HostState["blackholes"];
}

/** What repeats the known is none: a router advertisement mentions each of its addresses again, every few seconds. */
export function isNews(event: IpEvent, known: KnownNode): boolean {
  const { network } = known;
  switch (event.kind) {
    case "link":
      return !HOST_LINK.test(event.link) && isNewsOfLink(event, network);
    case "address":
      return !HOST_LINK.test(event.link) && isNewsOfAddress(event, network);
    case "route":
      return isNewsOfRoute(event, known);
    case "neighbor":
    case "nexthop":
      return false;
  }
}

/** A link that is new matters once it has addresses, which are told. One that goes down takes its IPv4 routes without a word. */
function isNewsOfLink({ link, gone, up, mtu }: LinkEvent, { mtus, defaultRoutes }: HostNetwork): boolean {
  const known = mtus.get(link);
  if (known === undefined) return false;
  return gone || mtu !== known || (!up && defaultRoutes.some((route) => route.link === link));
}

function isNewsOfAddress({ link, address, length, gone, words }: AddressEvent, { addresses }: HostNetwork): boolean {
  const text = parseAddress(address)?.text;
  if (words.includes("host")) return gone && link === "lo" && text === NEXT_HOP[4];
  const permanent = !FLEETING.some((mark) => words.includes(mark));
  const known = addresses.find((each) => each.link === link && each.address.text === text && each.length === length);
  return gone ? known !== undefined : known?.permanent !== permanent;
}

/** Of flock's own blackholes only the loss: they are added by nobody else. */
function isNewsOfRoute(event: RouteEvent, { network: { defaultRoutes }, blackholes }: KnownNode): boolean {
  const { type, destination, link, protocol, table, gone, family } = event;
  if (table !== undefined) return false;
  if (type === "blackhole" && protocol === String(ROUTE_PROTOCOL)) return gone;
  if (!gone && mayDisplace(event, blackholes)) return true;
  if (type !== "unicast" || destination !== "default") return false;
  const known = defaultRoutes.some((route) =>
    route.link === link && route.family === family && route.fromRouterAdvertisement === (protocol === "ra")
  );
  return gone === known || link === undefined;
}

/** `ip route replace` puts a route of the same prefix and metric in the place of ours, and the kernel says nothing of ours. */
function mayDisplace({ destination, metric }: RouteEvent, blackholes: HostState["blackholes"]): boolean {
  if (metric === undefined || Number(metric) > POD_ROUTE_METRIC) return false;
  const prefix = canonicalDestination(destination);
  return blackholes.some(({ text }) => text === prefix);
}
