/** Runs one packet through the typed table as nft would through its text: no knowledge of policies, pods or namespaces. */
import type {
  AddressRange,
  ChainRule,
  PeerMatch,
  PolicySet,
  PolicyTable,
  PortMatch,
} from "../../src/policy/policy_table.ts";
import { parseAddress } from "../../src/ip/address.ts";
import { type Direction, NODE, type Packet } from "./packet.ts";

/**
 * @returns whether both base chains accept the packet
 * @throws where nft would refuse the table: at names that nothing has, and sets of another type than their use
 */
export function simulate(table: PolicyTable, packet: Packet): boolean {
  const leaves = passesBaseChain("egress", { table, packet, link: packet.cameBy });
  return leaves && (packet.cameBy === NODE || passesBaseChain("ingress", { table, packet, link: packet.leavesBy }));
}

function passesBaseChain(
  direction: Direction,
  { table, packet, link }: { table: PolicyTable; packet: Packet; link: string },
): boolean {
  const names = table.pods.get(link)?.chains[direction];
  if (names === undefined) return true;
  if (packet.state === "established" || packet.state === "related") return true;
  return names.map((name) => chainOf(table, name)).some((chain) => {
    if (chain.direction !== direction) {
      throw new Error(`Cannot jump to a chain of ${chain.direction} from ${direction}`);
    }
    return chain.rules.some((rule) => accepts(rule, { table, packet, direction }));
  });
}

interface Look {
  readonly table: PolicyTable;
  readonly packet: Packet;
  readonly direction: Direction;
}

function accepts({ peer, port }: ChainRule, look: Look): boolean {
  return (peer === undefined || isPeer(peer, look)) && (port === undefined || isPort(port, look));
}

function isPeer(peer: PeerMatch, { table, packet, direction }: Look): boolean {
  const text = direction === "ingress" ? packet.source : packet.destination;
  const address = parseAddress(text);
  if (peer.kind === "ranges") return peer.ranges.some((range) => isInRange(range, { peer, address }));
  const { type, elements } = setOf(table, peer.set);
  if (type.kind !== "address" || type.family !== peer.family) {
    throw new Error(`Cannot look addresses up in ${peer.set}`);
  }
  return address?.family === peer.family && elements.has(address.text);
}

function isInRange(
  { family, first, last }: AddressRange,
  { peer, address }: { peer: PeerMatch; address: ReturnType<typeof parseAddress> },
): boolean {
  if (family !== peer.family || first > last) throw new Error("Cannot load a range: another family, or no range");
  return address?.family === family && address.value >= first && address.value <= last;
}

function isPort(match: PortMatch, { table, packet, direction }: Look): boolean {
  if (match.kind === "ranges") {
    if (packet.protocol !== match.protocol) return false;
    return match.ranges.some(({ first, last }) => packet.port >= first && packet.port <= last);
  }
  const { type, elements } = setOf(table, match.set);
  const kind = direction === "ingress" ? "linkPort" : "addressPort";
  if (type.kind !== kind || type.protocol !== match.protocol) throw new Error(`Cannot look ports up in ${match.set}`);
  if (packet.protocol !== match.protocol) return false;
  if (type.kind === "linkPort") return elements.has(`"${packet.leavesBy}" . ${packet.port}`);
  const destination = parseAddress(packet.destination);
  return destination?.family === type.family && elements.has(`${destination.text} . ${packet.port}`);
}

function setOf(table: PolicyTable, name: string): PolicySet {
  const set = table.sets.get(name);
  if (set === undefined) throw new Error(`Cannot load the table: no set ${name}`);
  return set;
}

function chainOf(table: PolicyTable, name: string): NonNullable<ReturnType<PolicyTable["chains"]["get"]>> {
  const chain = table.chains.get(name);
  if (chain === undefined) throw new Error(`Cannot load the table: no chain ${name}`);
  return chain;
}
