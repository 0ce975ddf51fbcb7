/**
 * IP packets of all kinds that a firewall tells apart, as a sender's kernel would make them: lengths and checksums are
 * right.
 */
import type { Address } from "../../src/ip/address.ts";
import { checksum, frameOf, type Packet, withChecksum } from "./raw_frames.ts";
import { sctpInit } from "./sctp_init.ts";

/** Sources and destinations of packets that are made. */
export interface Ends {
  readonly from: Address;
  readonly to: Address;
}

export interface Ports {
  readonly source: number;
  readonly destination: number;
}

/** TCP's flags (RFC 9293, 3.1). */
export const TCP_FLAGS = { syn: 0x02, rst: 0x04, synAck: 0x12, ack: 0x10 } as const;

const word = (value: number): number[] => [value >> 8, value & 0xff];
const ANY_MAC = "02:00:00:00:00:00";
const ETHERNET_HEADER = 14;

export function tcpPacket(ends: Ends, { ports, flags }: { ports: Ports; flags: keyof typeof TCP_FLAGS }): Packet {
  const acknowledged = flags === "syn" ? 0 : 2;
  const start = [...word(ports.source), ...word(ports.destination), 0, 0, 0, 1, 0, 0, 0, acknowledged];
  return withChecksum({
    ...ends,
    protocol: 6,
    body: new Uint8Array([...start, 0x50, TCP_FLAGS[flags], 0xff, 0xff, 0, 0, 0, 0]),
  }, 16);
}

/** @param payload its size in bytes */
export function udpPacket(ends: Ends, { ports, payload = 8 }: { ports: Ports; payload?: number }): Packet {
  const header = [...word(ports.source), ...word(ports.destination), ...word(8 + payload), 0, 0];
  const body = new Uint8Array([...header, ...Array.from({ length: payload }, (_, i) => i & 0xff)]);
  return withChecksum({ ...ends, protocol: 17, body }, 6);
}

export function sctpPacket(ends: Ends, ports: Ports): Packet {
  return { ...ends, protocol: 132, body: sctpInit(ports.source, ports.destination) };
}

/** ICMP or ICMPv6, by the family. @param isReply default: it asks */
export function echoPacket(ends: Ends, { id, isReply = false }: { id: number; isReply?: boolean }): Packet {
  const type = ends.from.family === 4 ? (isReply ? 0 : 8) : (isReply ? 129 : 128);
  return icmpPacket(ends, [type, 0, 0, 0, ...word(id), 0, 1, 1, 2, 3, 4]);
}

/**
 * "Fragmentation needed" (RFC 792), or "packet too big" (RFC 4443, 3.2).
 *
 * @param about the packet that was too big, from its IP header on
 */
export function tooBigPacket(ends: Ends, { about, mtu }: { about: Uint8Array; mtu: number }): Packet {
  const head = ends.from.family === 4 ? [3, 4, 0, 0, 0, 0, ...word(mtu)] : [2, 0, 0, 0, 0, 0, ...word(mtu)];
  return icmpPacket(ends, [...head, ...about.subarray(0, 576)]);
}

function icmpPacket(ends: Ends, body: readonly number[]): Packet {
  if (ends.from.family === 6) return withChecksum({ ...ends, protocol: 58, body: new Uint8Array(body) });
  const [high = 0, low = 0] = word(checksum(body));
  return { ...ends, protocol: 1, body: new Uint8Array([...body.slice(0, 2), high, low, ...body.slice(4)]) };
}

/** @returns the packet from its IP header on */
export function ipBytes(packet: Packet): Uint8Array<ArrayBuffer> {
  return frameOf(packet, ANY_MAC).slice(ETHERNET_HEADER);
}

/**
 * Cuts a packet into fragments (RFC 791, 3.2; RFC 8200, 4.5).
 *
 * @param size of the pieces, a multiple of 8
 * @param id what they have in common, and no other packet between the same ends
 * @returns each from its IP header on
 */
export function fragmentsOf(packet: Packet, { size, id }: { size: number; id: number }): Uint8Array<ArrayBuffer>[] {
  const pieces = Array.from({ length: Math.ceil(packet.body.length / size) }, (_, i) => i * size);
  return pieces.map((at) => {
    const body = packet.body.subarray(at, at + size);
    const more = at + size < packet.body.length;
    return packet.from.family === 4
      ? fragment4(packet, { at, body, more, id })
      : fragment6(packet, { at, body, more, id });
  });
}

interface Piece {
  readonly at: number;
  readonly body: Uint8Array;
  readonly more: boolean;
  readonly id: number;
}

function fragment4(packet: Packet, { at, body, more, id }: Piece): Uint8Array<ArrayBuffer> {
  const bytes = ipBytes({ ...packet, body });
  bytes.set([...word(id), ...word((more ? 0x2000 : 0) | at / 8)], 4);
  bytes.set([0, 0], 10);
  bytes.set(word(checksum(bytes.subarray(0, 20))), 10);
  return bytes;
}

function fragment6(packet: Packet, { at, body, more, id }: Piece): Uint8Array<ArrayBuffer> {
  const header = [packet.protocol, 0, ...word(at | (more ? 1 : 0)), 0, 0, ...word(id)];
  return ipBytes({ ...packet, protocol: 44, body: new Uint8Array([...header, ...body]) });
}
