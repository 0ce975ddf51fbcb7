/** Runs packets through the typed table as nft would through its text: no knowledge of policies, pods or namespaces. */
import type { ChainRule, PeerMatch, PolicyTable, PortMatch } from "../../src/policy/policy_table.ts";
import { parseAddress } from "../../src/ip/address.ts";
import { type Direction, NODE, type Packet } from "./packet.ts";

/** @returns whether both base chains accept the packet. @param table as checkTable() takes it */
export function simulate(table: PolicyTable, packet: Packet): boolean {
  return passesBaseChain("egress", { table, packet }) &&
    (packet.cameBy === NODE || passesBaseChain("ingress", { table, packet }));
}

/** The base chain, the verdict map, the pod's own chain, and those that it jumps to. */
export function passesBaseChain(
  direction: Direction,
  { table, packet }: { table: PolicyTable; packet: Packet },
): boolean {
  const link = direction === "egress" ? packet.cameBy : packet.leavesBy;
  const jumps = table.pods.get(link)?.chains[direction];
  if (jumps === undefined) return true;
  if (packet.state === "established" || packet.state === "related") return true;
  return jumps.some((name) =>
    table.chains.get(name)?.rules.some((rule) => accepts(rule, { table, packet, direction })) === true
  );
}

interface Look {
  readonly table: PolicyTable;
  readonly packet: Packet;
  readonly direction: Direction;
}

function accepts({ peer, port }: ChainRule, look: Look): boolean {
  return (peer === undefined || isPeer(peer, look)) && (port === undefined || isPort(port, look));
}

/** `ip saddr @set`, `ip6 daddr { first-last }` */
function isPeer(peer: PeerMatch, { table, packet, direction }: Look): boolean {
  const address = parseAddress(direction === "ingress" ? packet.source : packet.destination);
  if (address?.family !== peer.family) return false;
  if (peer.kind === "set") return table.sets.get(peer.set)?.elements.has(address.text) === true;
  return peer.ranges.some(({ first, last }) => address.value >= first && address.value <= last);
}

/** `tcp dport { first-last }`, `oifname . tcp dport @set`, `ip daddr . tcp dport @set` */
function isPort(match: PortMatch, { table, packet, direction }: Look): boolean {
  if (packet.protocol !== match.protocol) return false;
  if (match.kind === "ranges") {
    return match.ranges.some(({ first, last }) => packet.port >= first && packet.port <= last);
  }
  const destination = direction === "ingress" ? `"${packet.leavesBy}"` : packet.destination;
  return table.sets.get(match.set)?.elements.has(`${destination} . ${packet.port}`) === true;
}
