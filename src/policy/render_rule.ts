/** Rules of the table as nft reads them, without the chain that they are in. */
import { addressOf, bitsOf, type Family } from "../ip/address.ts";
import { isInline } from "./hold_set.ts";
import { checkName, podChainName } from "./names.ts";
import type { Direction, PortRange } from "./network_policy.ts";
import { sortElements } from "./render_set.ts";
import type { AddressRange, IsolatedPod, PeerMatch, PolicyChain, PolicySet, PortMatch } from "./policy_table.ts";

const ADDRESS_FIELD: Readonly<Record<Family, string>> = { 4: "ip", 6: "ip6" };
const PEER_END: Readonly<Record<Direction, string>> = { ingress: "saddr", egress: "daddr" };
const NFPROTO: Readonly<Record<Family, string>> = { 4: "ipv4", 6: "ipv6" };
const MAX_PORT = 65535;
const LOG_LIMIT = "limit rate 10/second burst 20 packets";

/**
 * Up to so many ports or addresses are a rule each. A list in braces is a set without a name, and the kernel compares
 * the name that it gives one to those of all others: forty thousand take minutes to load. Ranges make it an interval
 * set: of a thousand nft's load takes six times as long, and each is read before `add element`.
 */
const FEW = 8;

/** A set that says which destinations have the port. */
export type AddressPortMatch = Extract<PortMatch, { readonly kind: "set" }> & { readonly family: Family };

/** @returns what each of the rules begins with that together are about what the set holds */
export type SetMatches = (set: string, direction: Direction) => readonly string[];

/** @param how.direction of the chain. @param how.users chains that name the set. @throws TypeError for what no address is in */
export function renderSetMatches(
  name: string,
  { set: { type, elements }, direction, users }: {
    readonly set: PolicySet;
    readonly direction: Direction;
    readonly users: number;
  },
): string[] {
  if (type.kind === "linkPort") throw new TypeError(`Cannot look addresses up in ${checkName(name)}: it has none`);
  const address = `${ADDRESS_FIELD[type.family]} ${PEER_END[direction]}`;
  const port = type.kind === "addressPort" ? `${type.protocol} dport` : undefined;
  if (!isInline(type, { elements: elements.size, users })) {
    return [`${[address, ...(port === undefined ? [] : [port])].join(" . ")} @${checkName(name)}`];
  }
  return sortElements(elements).map((element) => {
    const [own = "", number] = element.split(" . ");
    return number === undefined ? `${address} ${own}` : `${address} ${own} ${port} ${number}`;
  });
}

/**
 * The node's own neighbour solicitations and advertisements to the pod look at postrouting as if the pod had sent them:
 * for IPv6 the kernel takes the link that it has noted in the packet for the one it came in by (ip6_output()), and
 * neighbour discovery notes the link that it sends on. So `iif 0` does not see them, and both of the pod's chains would
 * drop them: a pod that has lost its neighbours would never find the node again. All of them come from a link-local
 * address, and from none is a packet ever forwarded (RFC 4291, 2.5.6). The node's multicast listener reports (RFC 3810)
 * look the same, and come from `::` until the link's address is ready; they go to ff02::/16, where nothing is forwarded
 * either. Nobody would miss those, but they would count as dropped.
 */
const OF_THE_LINK = ["ip6 saddr fe80::/10 accept", "ip6 daddr ff02::/16 accept"];

/** @returns the rules of the pod's own chain of one direction */
export function renderPodRules(
  { chains, logDrops }: IsolatedPod,
  { link, direction }: { readonly link: string; readonly direction: Direction },
): string[] {
  const name = podChainName(link, direction);
  return [
    "ct state established,related accept",
    ...(chains[direction] ?? []).map((chain) => `jump ${checkName(chain)}`),
    ...OF_THE_LINK,
    ...(logDrops ? [`${LOG_LIMIT} log prefix "flock drop ${name.replace("_", " ")}: "`] : []),
    `counter name "${name}" drop`,
  ];
}

/** @returns the sets that the chain's rules name */
export function setsOf(chain: PolicyChain | undefined): Set<string> {
  return new Set(
    (chain?.rules ?? []).flatMap(({ peer, port }) =>
      [peer, port].flatMap((match) => match?.kind === "set" ? [match.set] : [])
    ),
  );
}

/** @returns what each of the rules begins with that together are about the ranges */
export function renderRanges(
  { family, ranges }: Extract<PeerMatch, { readonly kind: "ranges" }>,
  direction: Direction,
): string[] {
  // nft takes no interval that is everything.
  if (ranges.some(isWholeFamily)) return [`meta nfproto ${NFPROTO[family]}`];
  return renderMatches(`${ADDRESS_FIELD[family]} ${PEER_END[direction]}`, ranges.map(renderAddresses));
}

/** @returns what each of the rules begins with that together are about the port */
export function renderPort(port: Exclude<PortMatch, AddressPortMatch>): string[] {
  const { protocol } = port;
  if (port.kind === "set") return [`oifname . ${protocol} dport @${checkName(port.set)}`];
  if (port.ranges.some(isEveryPort)) return [`meta l4proto ${protocol}`];
  const texts = port.ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
  return renderMatches(`${protocol} dport`, texts);
}

/** Says whether the set holds the destination's address too: a rule for it is about nothing else. */
export function isAddressPort(port: PortMatch | undefined): port is AddressPortMatch {
  return port?.kind === "set" && port.family !== undefined;
}

/** @returns the field with each of the values, or with few lists of many */
function renderMatches(field: string, items: readonly string[]): string[] {
  const ranges = items.filter((item) => item.includes("-"));
  const singles = items.filter((item) => !item.includes("-"));
  const lists = ranges.length > FEW ? [items] : [singles, ...ranges.map((range) => [range])];
  return lists.flatMap((list) => {
    return list.length > FEW ? [`${field} { ${list.join(", ")} }`] : list.map((item) => `${field} ${item}`);
  });
}

function renderAddresses({ family, first, last }: AddressRange): string {
  const [from, to] = [addressOf(family, first).text, addressOf(family, last).text];
  return first === last ? from : `${from}-${to}`;
}

function isWholeFamily({ family, first, last }: AddressRange): boolean {
  return last - first + 1n === 1n << BigInt(bitsOf(family));
}

function isEveryPort({ first, last }: PortRange): boolean {
  return first === 0 && last === MAX_PORT;
}
