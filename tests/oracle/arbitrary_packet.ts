/**
 * Random packets between the ends that a random cluster has: its pods', nodes' and strangers' addresses, and ports on
 * both sides of every limit.
 */
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
  /** Which of the ports that the destination's containers say they have takes the place of `protocol` and `port`. */
  readonly aim: number | undefined;
  readonly state: Packet["state"];
}

interface End {
  readonly link: string;
  readonly address: string;
}

const PROTOCOLS: Readonly<Record<string, Packet["protocol"]>> = { TCP: "tcp", UDP: "udp", SCTP: "sctp" };
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
  aim: fc.option(fc.nat(9), { nil: undefined, freq: 2 }),
  state: fc.oneof(
    { weight: 18, arbitrary: fc.constant<Packet["state"]>("new") },
    { weight: 2, arbitrary: fc.constantFrom<Packet["state"]>("invalid", "established", "related") },
  ),
});

/** @returns the packet in that cluster; undefined when nobody of the sender's family could get it */
export function packetIn(world: RawWorld, draft: PacketDraft): Packet | undefined {
  const local = world.local.flatMap(({ link, addresses }) => addresses.map((address) => ({ link, address })));
  const away = awayFrom(world, local);
  const node = NODES[0].map((address) => ({ link: NODE, address }));
  const otherNode = NODES[1].map((address) => ({ link: UPLINK, address }));
  const from = pick([local, away, local, away, local, node, local, otherNode], draft.from);
  const others = from?.link === UPLINK || from?.link === NODE ? [local] : [local, away, local];
  const to = pick(others.map((ends) => ends.filter(({ address }) => isSameFamily(address, from?.address))), draft.to);
  if (from === undefined || to === undefined) return undefined;
  const [source, destination] = [from.address, to.address];
  const ends = { cameBy: from.link, leavesBy: to.link, source, destination };
  return { ...ends, ...portIn(world, { draft, destination }), state: draft.state };
}

function portIn(
  { pods }: RawWorld,
  { draft, destination }: { draft: PacketDraft; destination: string },
): Pick<Packet, "protocol" | "port"> {
  const { protocol, port, aim } = draft;
  const said = pods.filter((pod) => addressesOf(pod).includes(destination)).flatMap(({ spec }) =>
    [...spec.containers, ...spec.initContainers ?? []].flatMap(({ ports }) => ports ?? [])
  );
  const aimed = aim === undefined ? undefined : said[aim % Math.max(said.length, 1)];
  if (aimed !== undefined) return { protocol: PROTOCOLS[aimed.protocol ?? "TCP"] ?? "tcp", port: aimed.containerPort };
  return { protocol, port: protocol === "icmp" || protocol === "other" ? 0 : port };
}

/** What is reached through the uplink: strangers, the other node, and pods that are not of this one. */
function awayFrom({ pods }: RawWorld, local: readonly End[]): readonly End[] {
  const known = [...OUTSIDE, ...NODES[1], ...pods.flatMap(addressesOf)];
  const here = [...NODES[0], ...local.map(({ address }) => address)];
  return [...new Set(known)].filter((address) => !here.includes(address)).map((address) => ({ link: UPLINK, address }));
}

/** The number says which list, and which of its items. */
function pick<T>(lists: readonly (readonly T[])[], number: number): T | undefined {
  const list = lists[number % lists.length] ?? [];
  return list[Math.floor(number / lists.length) % Math.max(list.length, 1)];
}

function isSameFamily(a: string, b: string | undefined): boolean {
  return a.includes(":") === b?.includes(":");
}
