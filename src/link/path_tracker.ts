import type { AddressEvent, IpEvent, LinkEvent, RouteEvent } from "../exec/parse_ip_event.ts";
import { HOST_LINK } from "../hash/container_hash.ts";
import { parseAddress } from "../ip/address.ts";
import { POD_ROUTE_METRIC, ROUTE_PROTOCOL } from "../route_protocol/route_protocol.ts";
import { NEXT_HOP } from "../next_hop/next_hop.ts";
import type { Attachment } from "./attachment_driver.ts";
import { HOST_MAC } from "./host_mac.ts";
import { renderAlias } from "./link_alias.ts";
import { NEXT_HOP_LENGTH } from "./plan_attachment.ts";

const GONE = "gone";
const THERE = "there";
const FLEETING = "fleeting";

/**
 * What the kernel's messages say of the pods' host ends, against what should be: only where the two differ is it worth looking at
 * the kernel. Knows nothing but what it heard since the last `reset`; what was not mentioned counts as it should be.
 *
 * An ADD or DEL of our own ends in the wanted state too, so it needs no list of expected messages: whoever asks a moment later
 * finds no difference. An end that goes down loses its IPv4 routes without a message (fib_sync_down_dev()), so everything on it
 * counts as lost until it is mentioned again; for an end that is being made this is so from the start.
 */
export class PathTracker {
  // "route 192.0.2.7" -> what the kernel last said of it
  readonly #facts = new Map<string, string>();
  /** Ends that were down or away. */
  readonly #lost = new Set<string>();
  readonly #names = new Map<number, string>();

  /** @returns whether it may be about a path */
  hear(event: IpEvent): boolean {
    if (event.kind === "link") return this.#hearLink(event);
    if (event.kind === "route") return this.#hearRoute(event);
    if (event.kind === "nexthop" || !HOST_LINK.test(event.link)) return false;
    const address = parseAddress(event.address)?.text ?? event.address;
    if (event.kind === "address") {
      this.#facts.set(`address ${event.link} ${address}/${event.length}`, addressState(event));
    } else {
      this.#facts.set(`neighbor ${event.link} ${address}`, event.gone || !event.permanent ? GONE : event.mac);
    }
    return true;
  }

  /** @param attachments all there should be; what was heard of others is forgotten. @returns those that are not as they should be */
  broken<T extends Attachment>(attachments: readonly T[]): T[] {
    this.#forgetAllBut(attachments);
    return attachments.filter((attachment) => factsOf(attachment).some((fact) => this.#contradicts(attachment, fact)));
  }

  /** To be called before the kernel is looked at. */
  reset(): void {
    this.#facts.clear();
    this.#lost.clear();
  }

  #hearLink(event: LinkEvent): boolean {
    const { gone, index, link, up } = event;
    const before = this.#names.get(index);
    const renamed = before !== undefined && before !== link;
    if (renamed) this.#lose(before, GONE);
    if (gone || renamed) this.#names.delete(index);
    if (!HOST_LINK.test(link)) return renamed;
    if (!gone) this.#names.set(index, link);
    const state = gone ? GONE : linkState(event);
    if (gone || !up) this.#lose(link, state);
    this.#facts.set(`link ${link}`, state);
    return true;
  }

  /** By destination alone: a route of the same metric, of whatever kind, takes the place of ours without a message about ours. */
  #hearRoute(event: RouteEvent): boolean {
    const { gone, destination, metric, table } = event;
    if (table !== undefined || metric !== String(POD_ROUTE_METRIC)) return false;
    const address = parseAddress(destination);
    if (address === undefined) return false;
    this.#facts.set(`route ${address.text}`, gone ? GONE : routeState(event));
    return true;
  }

  #lose(link: string, state: string): void {
    this.#lost.add(link);
    const [address, neighbor, route] = [`address ${link} `, `neighbor ${link} `, `${link} `];
    for (const [key, value] of this.#facts) {
      if (value.startsWith(route) || key.startsWith(address) || key.startsWith(neighbor)) this.#facts.delete(key);
    }
    this.#facts.set(`link ${link}`, state);
  }

  #contradicts({ hostLink }: Attachment, [key, wanted]: Fact): boolean {
    const heard = this.#facts.get(key);
    return heard === undefined ? this.#lost.has(hostLink) : heard !== wanted;
  }

  #forgetAllBut(attachments: readonly Attachment[]): void {
    const wanted = new Set(attachments.flatMap(factsOf).map(([key]) => key));
    const links = new Set(attachments.map(({ hostLink }) => hostLink));
    for (const key of this.#facts.keys()) if (!wanted.has(key)) this.#facts.delete(key);
    for (const link of this.#lost) if (!links.has(link)) this.#lost.delete(link);
  }
}

type Fact = readonly [key: string, value: string];

function factsOf(attachment: Attachment): Fact[] {
  const { hostLink, mtu, podMac, addresses } = attachment;
  const hasIpv6 = addresses.some(({ family }) => family === 6);
  const link = { up: true, mtu, mac: HOST_MAC, arp: true, alias: renderAlias(attachment) };
  const route = { type: "unicast", link: hostLink, protocol: String(ROUTE_PROTOCOL) };
  return [
    [`link ${hostLink}`, linkState(link)],
    ...(hasIpv6 ? [[`address ${hostLink} ${NEXT_HOP[6]}/${NEXT_HOP_LENGTH}`, THERE] as const] : []),
    ...addresses.flatMap(({ text, family }): Fact[] => [
      [`route ${text}`, routeState({ ...route, details: family === 4 ? ["scope link"] : [] })],
      [`neighbor ${hostLink} ${text}`, podMac],
    ]),
  ];
}

function linkState(
  { up, mtu, mac, master = "", arp, alias }: Omit<LinkEvent, "kind" | "gone" | "index" | "link" | "carrier">,
): string {
  return JSON.stringify([up, mtu, mac, master, arp, alias]);
}

/** `linkdown` is the kernel's own word for a pod that took its end down. */
function routeState(
  { type, link = "", protocol = "", details }: Pick<RouteEvent, "type" | "link" | "protocol" | "details">,
): string {
  return `${link} ${protocol} ${type} ${details.filter((word) => word !== "linkdown").join(" ")}`;
}

/** An address that is to end, or to be preferred no more, is not as it was made. */
function addressState({ gone, words }: AddressEvent): string {
  if (gone) return GONE;
  const ends = ["valid_lft", "preferred_lft"].some((word) =>
    words.includes(word) && words[words.indexOf(word) + 1] !== "forever"
  );
  return ends ? FLEETING : THERE;
}
