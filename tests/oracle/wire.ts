/** Packets of the oracle as bytes, and back as far as it takes to know them again. */
import { echoPacket, ipBytes, sctpPacket, tcpPacket, udpPacket } from "../lab/ip_packet.ts";
import type { Packet as WirePacket } from "../lab/raw_frames.ts";
import { type Address, parseAddress } from "../../src/ip/address.ts";
import type { Packet } from "./packet.ts";

/** Protocol numbers that nobody has assigned: connection tracking knows flows of them by number and addresses alone. */
const UNASSIGNED = { first: 148, count: 100 } as const;

export function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`Cannot use ${text}: no address`);
  return address;
}

/**
 * @param packet NEW, or INVALID: a reset without a connection, an answer to no question, a checksum that is wrong. What
 * connection tracking cannot doubt is NEW all the same
 * @param id from 0 to 49999, of no other packet: connection tracking is to take none for another's answer
 */
export function wireOf({ source, destination, protocol, port, state }: Packet, id: number): WirePacket {
  const ends = { from: addressOf(source), to: addressOf(destination) };
  const [ports, isInvalid] = [{ source: 10_000 + id, destination: port }, state === "invalid"];
  if (protocol === "tcp") return tcpPacket(ends, { ports, flags: isInvalid ? "rst" : "syn" });
  if (protocol === "udp") return isInvalid ? damaged(udpPacket(ends, { ports })) : udpPacket(ends, { ports });
  if (protocol === "sctp") return isInvalid ? damaged(sctpPacket(ends, ports)) : sctpPacket(ends, ports);
  if (protocol === "icmp") return echoPacket(ends, { id: 10_000 + id, isReply: isInvalid });
  const body = new Uint8Array([id >> 8, id & 0xff, 0, 0, 0, 0, 0, 0]);
  return { ...ends, protocol: UNASSIGNED.first + id % UNASSIGNED.count, body };
}

function damaged(packet: WirePacket): WirePacket {
  const body = packet.body.slice();
  body[body.length - 1] = (body[body.length - 1] ?? 0) ^ 0xff;
  return { ...packet, body };
}

/**
 * @returns what stays the same on a packet's way, and is of no other: all but the IP header's hop limit and checksum.
 * @param bytes from the IP header on
 */
export function identityOf(bytes: Uint8Array): string {
  if (bytes[0] === undefined || bytes[0] >> 4 === 6) return `${bytes[6]} ${bytes.subarray(8).toHex()}`;
  return `${bytes[9]} ${bytes.subarray(12).toHex()}`;
}

/** @returns the same of a packet that is to be sent */
export function identityOfWire(packet: WirePacket): string {
  return identityOf(ipBytes(packet));
}
