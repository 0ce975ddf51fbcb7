/** Rules of the table as nft reads them, without the chain that they are in. */
import { addressOf, bitsOf, type Family } from "../ip/address.ts";
import { checkName, lookupChainName, podChainName } from "./names.ts";
import type { Direction, PortRange, Protocol } from "./network_policy.ts";
import type { AddressRange, IsolatedPod, PeerMatch, PolicyChain, PolicySetType, PortMatch } from "./policy_table.ts";

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

/** @returns the only rule of the chain that looks packets of one direction up in the set */
export function renderLookup(set: string, { type, direction }: { type: PolicySetType; direction: Direction }): string {
  if (type.kind === "linkPort") throw new TypeError(`Cannot render a chain of set ${checkName(set)}: it needs none`);
  const field = `${ADDRESS_FIELD[type.family]} ${PEER_END[direction]}`;
  const port = type.kind === "addressPort" ? ` . ${type.protocol} dport` : "";
  return `${field}${port} @${checkName(set)} accept`;
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

/** @returns the sets that the chain's rules look up by chains of the sets' own */
export function lookupsOf({ rules }: PolicyChain): Set<string> {
  return new Set(rules.flatMap(({ peer, port }) => [
    ...(peer?.kind === "set" ? [peer.set] : []),
    ...(isAddressPort(port) ? [port.set] : []),
  ]));
}

/** @returns the sets of links and ports that the chain's rules name, with their protocol */
export function linkPortsOf({ rules }: PolicyChain): Map<string, Protocol> {
  return new Map(
    rules.flatMap(({ port }) =>
      port?.kind === "set" && port.family === undefined ? [[port.set, port.protocol] as const] : []
    ),
  );
}

/** @returns the rules by which a peer is accepted */
export function renderPeer(peer: PeerMatch, direction: Direction): string[] {
  const { family } = peer;
  if (peer.kind === "set") return [`jump ${lookupChainName(peer.set, direction)}`];
  // nft takes no interval that is everything.
  if (peer.ranges.some(isWholeFamily)) return [`meta nfproto ${NFPROTO[family]} accept`];
  const field = `${ADDRESS_FIELD[family]} ${PEER_END[direction]}`;
  return renderMatches(field, peer.ranges.map(renderAddresses)).map((match) => `${match} accept`);
}

/** @returns what each of the rules begins with that lead on whatever has the port */
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
