import type { IpEvent, LinkEvent, NexthopEvent, RouteEvent } from "../exec/parse_ip_event.ts";
import { HOST_LINK } from "../hash/container_hash.ts";
import { parseAddress } from "../ip/address.ts";
import { POD_ROUTE_METRIC, ROUTE_PROTOCOL } from "../route_protocol/route_protocol.ts";

const GONE = "gone";
const ALTERED = "altered";
/** A route by way of a nexthop object and nothing else; of a group of one object ip tells the gateway too. */
const PLAIN = /^nhid (\d+)(?: via \S+)?(?: (?:onlink|linkdown|dead))*$/;

/**
 * What the kernel's messages say of anycast routes and nexthop objects, against what the driver last left (`RouteDriver.left()`): only
 * where the two differ is it worth looking at the kernel. Knows nothing but what it heard since the last `reset`; what was not mentioned
 * counts as it should be. What the driver does itself ends in what it leaves, so it needs no list of expected messages.
 *
 * A link that goes, goes down or has no carrier takes its nexthop objects along without a message, so they count as lost until they are
 * mentioned again.
 */
export class RouteTracker {
  // "nexthop 7", "route 192.0.2.53" -> what the kernel last said of it, in the words of `left`
  readonly #facts = new Map<string, string>();
  /** Links that were down, away or without a carrier. */
  readonly #lost = new Set<string>();

  /** @returns whether it may be about an anycast route */
  hear(event: IpEvent): boolean {
    switch (event.kind) {
      case "link":
        return this.#hearLink(event);
      case "route":
        return this.#hearRoute(event);
      case "nexthop":
        this.#facts.set(`nexthop ${event.id}`, event.gone ? GONE : describeNexthop(event));
        return true;
      default:
        return false;
    }
  }

  /** @param left all that the driver left; what was heard of others is forgotten. @returns what of it is not so any more */
  broken(left: ReadonlyMap<string, string>): string[] {
    this.#forgetAllBut(left);
    return [...left].filter(([key, value]) => this.#contradicts(key, value)).map(([key, value]) => `${key} ${value}`);
  }

  /** To be called before the kernel is looked at. */
  reset(): void {
    this.#facts.clear();
    this.#lost.clear();
  }

  #hearLink({ link, gone, up, carrier }: LinkEvent): boolean {
    if (!HOST_LINK.test(link) || (!gone && up && carrier)) return false;
    this.#lost.add(link);
    for (const [key, value] of this.#facts) if (linkOf(value) === link) this.#facts.delete(key);
    return true;
  }

  /** By destination alone: a route of the same metric, of whatever kind, takes the place of ours without a message about ours. */
  #hearRoute({ gone, destination, type, protocol, metric, table, details }: RouteEvent): boolean {
    const address = parseAddress(destination);
    if (table !== undefined || metric !== String(POD_ROUTE_METRIC) || address === undefined) return false;
    const [, group = ALTERED] = PLAIN.exec(details.join(" ")) ?? [];
    const isOurs = type === "unicast" && protocol === String(ROUTE_PROTOCOL);
    this.#facts.set(`route ${address.text}`, gone ? GONE : isOurs ? group : ALTERED);
    return true;
  }

  #contradicts(key: string, wanted: string): boolean {
    const heard = this.#facts.get(key);
    return heard === undefined ? this.#lost.has(linkOf(wanted)) : heard !== wanted;
  }

  #forgetAllBut(left: ReadonlyMap<string, string>): void {
    const links = new Set([...left.values()].map(linkOf));
    for (const key of this.#facts.keys()) if (!left.has(key)) this.#facts.delete(key);
    for (const link of this.#lost) if (!links.has(link)) this.#lost.delete(link);
  }
}

/** @returns the link of a hop; empty for anything else */
function linkOf(value: string): string {
  return / dev (\S+)$/.exec(value)?.[1] ?? "";
}

function describeNexthop({ words }: NexthopEvent): string {
  const follows = (word: string): string => words.includes(word) ? words[words.indexOf(word) + 1] ?? "" : "";
  const [group, via] = [follows("group"), parseAddress(follows("via"))];
  if (group !== "") return group.split("/").sort((a, b) => Number(a) - Number(b)).join("/");
  return via !== undefined && words.includes("onlink") ? `${via.text} dev ${follows("dev")}` : ALTERED;
}
