/** The packet path of one pod as lines for `ip -batch` (spec section 6). Pure. */
import { HOST_LINK } from "../hash/container_hash.ts";
import { type Address, bitsOf, type Family, parseAddress } from "../ip/address.ts";
import { DEFAULT_ROUTE, NEXT_HOP } from "../next_hop/next_hop.ts";
import { POD_ROUTE_METRIC, ROUTE_PROTOCOL } from "../route_protocol/route_protocol.ts";
import type { Attachment } from "./attachment_driver.ts";
import { HOST_MAC } from "./host_mac.ts";
import { isPlainPath, renderAlias } from "./link_alias.ts";

/** Of the IPv6 next hop's address on each host end. */
export const NEXT_HOP_LENGTH = 64;

const WORDS: readonly [keyof Attachment, RegExp][] = [
  ["hostLink", HOST_LINK],
  ["ifname", /^[a-zA-Z0-9][\w.-]{0,14}$/],
  ["containerId", /^[a-zA-Z0-9][\w.-]{0,127}$/],
  ["podMac", /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/],
];

/** The last look before values become words of a batch. @throws when one is not a single harmless word */
export function checkWords(attachment: Attachment): void {
  checkHostWords(attachment);
  if (!isPlainPath(attachment.netns)) throw notPlain(attachment, "netns");
}

/** The same for lines about the host's end alone: the namespace may be unknown. @throws as checkWords() does */
export function checkHostWords(attachment: Attachment): void {
  for (const [field, pattern] of WORDS) {
    const value = String(attachment[field]);
    if (!pattern.test(value)) throw notPlain(attachment, field);
  }
  for (const word of [attachment.netnsId, attachment.network]) {
    if (word !== undefined && !/^[\w.:-]+$/.test(word)) {
      throw new Error(`Cannot attach ${attachment.hostLink}: ${word}`);
    }
  }
  for (const { text, family } of [...attachment.addresses, ...attachment.anycast ?? []]) {
    if (parseAddress(text)?.family !== family) throw new Error(`Cannot attach ${attachment.hostLink}: address ${text}`);
  }
  if (!Number.isInteger(attachment.mtu)) throw new Error(`Cannot attach ${attachment.hostLink}: MTU ${attachment.mtu}`);
}

function notPlain(attachment: Attachment, field: keyof Attachment): Error {
  const value = JSON.stringify(attachment[field]);
  return new Error(`Cannot attach ${attachment.hostLink}: ${field} ${value} is not a plain word`);
}

/** The host's end, once its sysctls are set. Every line may be repeated. */
export function planHostEnd(attachment: Attachment): string[] {
  const { hostLink } = attachment;
  return [
    `link set dev ${hostLink} addrgenmode none alias "${renderAlias(attachment)}"`,
    `link set dev ${hostLink} up`,
    ...planHostAddress(attachment),
    ...attachment.addresses.flatMap((
      address,
    ) => [planHostRoute(attachment, address), planNeighbor(attachment, address)]),
  ];
}

/** The IPv6 next hop lives on every host end; the IPv4 one on the node's `lo`. */
export function planHostAddress({ hostLink, addresses }: Attachment): string[] {
  const hasIpv6 = addresses.some(({ family }) => family === 6);
  return hasIpv6 ? [`address replace ${NEXT_HOP[6]}/${NEXT_HOP_LENGTH} dev ${hostLink} nodad`] : [];
}

export function planHostRoute({ hostLink }: Attachment, { text, family }: Address): string {
  return `route replace ${text}/${bitsOf(family)} dev ${hostLink} proto ${ROUTE_PROTOCOL} metric ${POD_ROUTE_METRIC}`;
}

/** Permanent, so that a pod cannot take another's place by answering for it, and no ARP or ND is ever needed. */
export function planNeighbor({ hostLink, podMac }: Attachment, { text }: Address): string {
  return `neigh replace ${text} lladdr ${podMac} dev ${hostLink} nud permanent`;
}

/** A second name of the node's own `lo`, by which its network namespace is known. */
export const NODE_MARK = "flock-node";

/** Marks the node's own namespace; to be run there. Fails harmlessly when the mark is there. */
export function planNodeMark(): string {
  return `link property add dev lo altname ${NODE_MARK}`;
}

/**
 * To be run first in a pod's namespace: the node's mark can be given away only where there is none. In the node's own namespace
 * that fails, before anything of the node could be touched.
 */
function planNodeGuard(): string[] {
  return [planNodeMark(), `link property del dev lo altname ${NODE_MARK}`];
}

/** Lines of `planPodEnd` whose failure means something of its own, counted from 1. */
export const GUARD_LINE = 1;
export const LINK_LINE = 3;

/**
 * The pod's end and the link itself, to be run in the pod's namespace and to stop at the first failure.
 *
 * The link is made from this side, so that a namespace that has vanished fails this process alone: as a word of the shared batch it
 * would end that one, with whatever else was under way (`invarg()`).
 * Both ends are made in place; to move one afterwards costs 22 ms. The link-local address is the one that the kernel would
 * choose (RFC 4291, appendix A), without its wait for duplicates.
 *
 * @param nodePid a process in the node's network namespace
 */
export function planPodEnd(attachment: Attachment, nodePid: number): string[] {
  const { hostLink, ifname, podMac, mtu } = attachment;
  return [
    ...planNodeGuard(),
    `link add dev ${ifname} mtu ${mtu} address ${podMac} type veth peer name ${hostLink} mtu ${mtu} address ${HOST_MAC} netns ${nodePid}`,
    `link set dev ${ifname} addrgenmode none`,
    ...planPodPath(attachment, [4, 6]),
  ];
}

/**
 * All of a pod's end but the link itself, to be run in the pod's namespace and to stop at the first failure.
 *
 * @param routed families that get our default route; in the others somebody else's stays
 */
export function planPodRepair(attachment: Attachment, routed: readonly Family[]): string[] {
  return [...planNodeGuard(), ...planPodPath(attachment, routed)];
}

/** Every line may be repeated. */
function planPodPath(attachment: Attachment, routed: readonly Family[]): string[] {
  const { ifname, addresses, podMac } = attachment;
  const families = [...new Set(addresses.map(({ family }) => family))];
  return [
    `link set dev ${ifname} up`,
    ...(families.includes(6) ? [`address replace ${linkLocalOf(podMac)}/64 dev ${ifname} nodad`] : []),
    ...planPodAddresses(attachment),
    ...families.flatMap((family) => [
      `neigh replace ${NEXT_HOP[family]} lladdr ${HOST_MAC} dev ${ifname} nud permanent`,
      ...(routed.includes(family) ? [planDefaultRoute(ifname, family)] : []),
    ]),
  ];
}

/**
 * The pod sends from the first address of a family: of IPv4 the kernel takes the first that the link was given, of IPv6 none that is
 * deprecated (RFC 6724, rule 3), which is no hindrance to being reached or to choosing it.
 */
function planPodAddresses({ ifname, addresses, anycast = [] }: Attachment): string[] {
  const first = [4, 6].map((family) => addresses.find((address) => address.family === family));
  return [
    ...addresses.map((address) =>
      `${planAddress(address, ifname)}${address.family === 6 && !first.includes(address) ? " preferred_lft 0" : ""}`
    ),
    ...(anycast.length > 0 ? ["link set dev lo up"] : []),
    ...anycast.map((address) => planAddress(address, "lo")),
  ];
}

function planAddress({ text, family }: Address, link: string): string {
  return `address replace ${text}/${bitsOf(family)} dev ${link}${family === 6 ? " nodad" : ""}`;
}

/** What gives a live path other addresses, by where it is to be run, in this order. Every line may be repeated. */
export interface Rebinding {
  /** Routes that are not there need not go. */
  readonly hostBefore: readonly string[];
  /** Stops at the first failure. */
  readonly pod: readonly string[];
  readonly hostAfter: readonly string[];
}

/**
 * What leads to an address goes before it does, and comes after it. What is to go is put there first, because a lack of it would be a
 * failure; but no route, which could take the place of another one.
 */
export function planRebinding(before: Attachment, after: Attachment): Rebinding {
  const { hostLink, ifname } = after;
  const gone = before.addresses.filter(({ text }) => !after.addresses.some((other) => other.text === text));
  const released = (before.anycast ?? []).filter(({ text }) => !after.anycast?.some((other) => other.text === text));
  const remove = (address: Address, link: string): string[] => [
    planAddress(address, link),
    `address del ${address.text}/${bitsOf(address.family)} dev ${link}`,
  ];
  return {
    hostBefore: gone.flatMap((address) => [
      `route del ${address.text}/${
        bitsOf(address.family)
      } dev ${hostLink} proto ${ROUTE_PROTOCOL} metric ${POD_ROUTE_METRIC}`,
      planNeighbor(after, address),
      `neigh del ${address.text} dev ${hostLink}`,
    ]),
    pod: [
      ...planNodeGuard(),
      ...gone.flatMap((address) => remove(address, ifname)),
      ...released.flatMap((address) => remove(address, "lo")),
      ...planPodAddresses(after),
    ],
    hostAfter: after.addresses.flatMap((address) => [planHostRoute(after, address), planNeighbor(after, address)]),
  };
}

function planDefaultRoute(ifname: string, family: Family): string {
  const onlink = family === 4 ? " onlink" : "";
  return `route replace ${DEFAULT_ROUTE[family]} via ${NEXT_HOP[family]} dev ${ifname}${onlink}`;
}

function linkLocalOf(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(":").map((byte) => parseInt(byte, 16));
  const groups = [(a ^ 2) << 8 | b, c << 8 | 0xff, 0xfe00 | d, e << 8 | f];
  return `fe80::${groups.map((group) => group.toString(16)).join(":")}`;
}

/**
 * Sysctls of the host end, below net/, to be set before the link goes up. A link has from `conf/default` what somebody may have changed
 * there: a disabled IPv6, no forwarding.
 */
export function planSysctls({ hostLink, addresses }: Attachment): (readonly [name: string, value: string])[] {
  const hasIpv6 = addresses.some(({ family }) => family === 6);
  const of = (family: 4 | 6) => (entry: [string, string]): readonly [string, string] => [
    `ipv${family}/conf/${hostLink}/${entry[0]}`,
    entry[1],
  ];
  return [
    ...Object.entries(hasIpv6 ? IPV6 : { "disable_ipv6": "1" }).map(of(6)),
    ...Object.entries(IPV4).map(of(4)),
  ];
}

const IPV6 = { "disable_ipv6": "0", "forwarding": "1", "accept_ra": "0", "accept_redirects": "0", "autoconf": "0" };
const IPV4 = {
  "forwarding": "1",
  "accept_redirects": "0",
  "send_redirects": "0",
  "rp_filter": "0",
  "proxy_arp": "0",
  "route_localnet": "0",
};
