import { addressOf, bitsOf, type Family } from "../ip/address.ts";
import type { Direction, PortRange } from "./network_policy.ts";
import type { AddressRange, ChainRule, PeerMatch, PolicySetType, PortMatch } from "./policy_table.ts";

const ADDRESS_FIELD: Readonly<Record<Family, string>> = { 4: "ip", 6: "ip6" };
const PEER_END: Readonly<Record<Direction, string>> = { ingress: "saddr", egress: "daddr" };
const NFPROTO: Readonly<Record<Family, string>> = { 4: "ipv4", 6: "ipv6" };
const MAX_PORT = 65535;

/** @returns the rule as nft reads it, without the chain */
export function renderRule({ peer, port }: ChainRule, direction: Direction): string {
  const parts = [peer && renderPeer(peer, direction), port && renderPort(port, { peer, direction }), "accept"];
  return parts.filter((part) => part !== undefined).join(" ");
}

/** @returns what stands in a set's declaration besides its elements */
export function renderSetType(type: PolicySetType): string {
  if (type.kind === "address") return `type ${type.family === 4 ? "ipv4_addr" : "ipv6_addr"};`;
  if (type.kind === "linkPort") return `typeof oifname . ${type.protocol} dport;`;
  return `typeof ${ADDRESS_FIELD[type.family]} daddr . ${type.protocol} dport;`;
}

function renderPeer(peer: PeerMatch, direction: Direction): string {
  const { family } = peer;
  const field = `${ADDRESS_FIELD[family]} ${PEER_END[direction]}`;
  if (peer.kind === "set") return `${field} @${peer.set}`;
  // nft takes no interval that is everything.
  if (peer.ranges.some(isWholeFamily)) return `meta nfproto ${NFPROTO[family]}`;
  return `${field} ${renderList(peer.ranges.map(renderAddresses))}`;
}

function renderPort(
  port: PortMatch,
  { peer, direction }: { readonly peer: PeerMatch | undefined; readonly direction: Direction },
): string {
  if (port.kind === "ranges") return renderNumbers(port);
  if (direction === "ingress") return `oifname . ${port.protocol} dport @${port.set}`;
  const family = port.family ?? peer?.family;
  if (family === undefined) throw new TypeError(`Cannot render port set ${port.set}: of no family`);
  return `${ADDRESS_FIELD[family]} daddr . ${port.protocol} dport @${port.set}`;
}
function renderNumbers({ protocol, ranges }: Extract<PortMatch, { readonly kind: "ranges" }>): string {
  if (ranges.some(isEveryPort)) return `meta l4proto ${protocol}`;
  return `${protocol} dport ${
    renderList(ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)))
  }`;
}

function renderList(items: readonly string[]): string {
  return items.length === 1 ? `${items[0]}` : `{ ${items.join(", ")} }`;
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
