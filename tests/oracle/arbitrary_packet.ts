/** Random packets between the ends that a random cluster has: its pods', nodes' and strangers' addresses, and ports on both sides of every limit. */
import fc from "fast-check";
import { NODE, type Packet, UPLINK } from "./packet.ts";
import { addressesOf, type RawWorld } from "./raw_objects.ts";
import { NODES, OUTSIDE, PORTS } from "./universe.ts";

/** A packet whose ends are numbers: which ends there are depends on the cluster. */
export interface PacketDraft {
  readonly from: number;
  readonly to: number;
  readonly protocol: Packet["protocol"];
  readonly port: number;
  readonly state: Packet["state"];
}

interface End {
  readonly link: string;
  readonly address: string;
}

const NEAR_LIMITS = [...new Set(PORTS.flatMap((port) => [port - 1, port, port + 1]))]
  .filter((port) => port >= 1 && port <= 65535);

/** Half of them to ports that policies name, half of those beside. */
export const arbitraryPacket: fc.Arbitrary<PacketDraft> = fc.record({
  from: fc.nat(999),
  to: fc.nat(999),
  protocol: fc.oneof(
    { weight: 4, arbitrary: fc.constant<Packet["protocol"]>("tcp") },
    { weight: 5, arbitrary: fc.constantFrom<Packet["protocol"]>("udp", "udp", "sctp", "icmp", "other") },
  ),
  port: fc.oneof(fc.constantFrom(...PORTS), fc.constantFrom(...NEAR_LIMITS)),
  state: fc.oneof(
    { weight: 18, arbitrary: fc.constant<Packet["state"]>("new") },
    { weight: 2, arbitrary: fc.constantFrom<Packet["state"]>("invalid", "established", "related") },
  ),
});

/** @returns the packet in that cluster; undefined when nobody of the sender's family could get it */
export function packetIn(world: RawWorld, draft: PacketDraft): Packet | undefined {
  const local = world.local.flatMap(({ link, addresses }) => addresses.map((address) => ({ link, address })));
  const away = awayFrom(world, local);
  const senders = [...local, ...NODES[0].map((address) => ({ link: NODE, address })), ...away];
  const from = pick(senders, draft.from);
  const isLocal = from?.link !== UPLINK && from?.link !== NODE;
  const others = (isLocal ? [...local, ...away] : local).filter(({ address }) => isSameFamily(address, from?.address));
  const to = pick(others, draft.to);
  if (from === undefined || to === undefined) return undefined;
  const { protocol, state } = draft;
  const port = protocol === "icmp" || protocol === "other" ? 0 : draft.port;
  const [source, destination] = [from.address, to.address];
  return { cameBy: from.link, leavesBy: to.link, source, destination, protocol, port, state };
}

/** What is reached through the uplink: strangers, the other node, and pods that are not of this one. */
function awayFrom({ pods }: RawWorld, local: readonly End[]): readonly End[] {
  const known = [...OUTSIDE, ...NODES[1], ...pods.flatMap(addressesOf)];
  const here = [...NODES[0], ...local.map(({ address }) => address)];
  return [...new Set(known)].filter((address) => !here.includes(address)).map((address) => ({ link: UPLINK, address }));
}

function pick<T>(list: readonly T[], number: number): T | undefined {
  return list[number % Math.max(list.length, 1)];
}

function isSameFamily(a: string, b: string | undefined): boolean {
  return a.includes(":") === b?.includes(":");
}
