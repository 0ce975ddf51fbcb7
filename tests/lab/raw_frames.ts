/** Frames as a hostile pod could send them: whole, from any source, past the sender's own kernel. */
import type { Address } from "../../src/ip/address.ts";

/** What a frame carries. */
export interface Packet {
  readonly from: Address;
  readonly to: Address;
  /** 1 ICMP, 6 TCP, 17 UDP, 58 ICMPv6. */
  readonly protocol: number;
  /** The packet without its IP header. */
  readonly body: Uint8Array;
  /** Default 64. */
  readonly hopLimit?: number;
}

/**
 * Asks for the MAC address of `target`, or answers, to everybody (RFC 826). Who names its own address as the target
 * announces it (RFC 5227).
 */
export interface ArpPacket {
  readonly from: Address;
  readonly target: Address;
  /** Default: it asks. */
  readonly isReply?: boolean;
}

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETHERTYPES = { 4: 0x0800, 6: 0x86dd, arp: 0x0806 };
const BROADCAST = "ff:ff:ff:ff:ff:ff";
/** Of every frame, and no link's. */
export const SENDER_MAC = [2, 0, 0, 0, 0, 99];

/** A packet socket on a link of the network namespace that this process runs in. */
export class FrameSender implements Disposable {
  readonly #libc = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    if_nametoindex: { parameters: ["buffer"], result: "u32" },
    sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
  });
  readonly #socket: number;
  readonly #index: number;

  constructor(link: string) {
    this.#index = this.#libc.symbols.if_nametoindex(new TextEncoder().encode(`${link}\0`));
    this.#socket = this.#index === 0 ? -1 : this.#libc.symbols.socket(AF_PACKET, SOCK_RAW, 0);
    if (this.#socket >= 0) return;
    this.#libc.close();
    throw new Error(`Cannot open a packet socket on ${link}: no such link`);
  }

  /** @param destination the MAC address of whoever shall take the frame */
  send(packet: Packet, destination: string): void {
    this.sendFrame(frameOf(packet, destination));
  }

  sendArp(packet: ArpPacket): void {
    this.sendFrame(arpFrameOf(packet));
  }

  /** @param frame from the destination's MAC address on */
  sendFrame(frame: Uint8Array<ArrayBuffer>): void {
    const target = new DataView(new ArrayBuffer(20));
    target.setUint16(0, AF_PACKET, true);
    target.setInt32(4, this.#index, true);
    const bytes = new Uint8Array(target.buffer);
    const sent = this.#libc.symbols.sendto(this.#socket, frame, BigInt(frame.length), 0, bytes, 20);
    if (BigInt(sent) !== BigInt(frame.length)) throw new Error("Cannot send a frame: the kernel refuses");
  }

  [Symbol.dispose](): void {
    this.#libc.symbols.close(this.#socket);
    this.#libc.close();
  }
}

/** @param destination the MAC address of whoever shall take the frame */
export function frameOf(packet: Packet, destination: string): Uint8Array<ArrayBuffer> {
  return ethernet(ETHERTYPES[packet.from.family], { destination, body: ipPacket(packet) });
}

/** @returns the packet, broadcast as by a host that knows no neighbour */
export function arpFrameOf({ from, target, isReply = false }: ArpPacket): Uint8Array<ArrayBuffer> {
  const addresses = [...SENDER_MAC, ...bytesOf(from), 0, 0, 0, 0, 0, 0, ...bytesOf(target)];
  return ethernet(ETHERTYPES.arp, {
    destination: BROADCAST,
    body: [0, 1, 8, 0, 6, 4, 0, isReply ? 2 : 1, ...addresses],
  });
}

function ethernet(
  type: number,
  { destination, body }: { destination: string; body: readonly number[] },
): Uint8Array<ArrayBuffer> {
  const mac = destination.split(":").map((byte) => parseInt(byte, 16));
  return new Uint8Array([...mac, ...SENDER_MAC, type >> 8, type & 0xff, ...body]);
}

/**
 * @returns the packet with the checksum over body and addresses in place.
 * @param at where it stands: 2 in ICMPv6, 16 in TCP
 */
export function withChecksum(packet: Packet, at = 2): Packet {
  const { from, to, protocol, body } = packet;
  const pseudo = [...bytesOf(from), ...bytesOf(to), 0, 0, body.length >> 8, body.length & 0xff, 0, 0, 0, protocol];
  const sum = checksum([...pseudo, ...body]);
  return { ...packet, body: new Uint8Array([...body.slice(0, at), sum >> 8, sum & 0xff, ...body.slice(at + 2)]) };
}

function ipPacket({ from, to, protocol, body, hopLimit = 64 }: Packet): number[] {
  const addresses = [...bytesOf(from), ...bytesOf(to)];
  if (from.family === 6) {
    return [0x60, 0, 0, 0, body.length >> 8, body.length & 0xff, protocol, hopLimit, ...addresses, ...body];
  }
  const total = 20 + body.length;
  const start = [0x45, 0, total >> 8, total & 0xff, 0, 0, 0, 0, hopLimit, protocol];
  const sum = checksum([...start, 0, 0, ...addresses]);
  return [...start, sum >> 8, sum & 0xff, ...addresses, ...body];
}

/** In network order. */
export function bytesOf({ family, value }: Address): number[] {
  const size = family === 4 ? 4 : 16;
  return Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * (size - 1 - i))) & 0xffn));
}

/** RFC 1071. */
export function checksum(bytes: Iterable<number>): number {
  const words = [...bytes].map((byte, i) => i % 2 === 0 ? byte << 8 : byte);
  const sum = words.reduce((total, word) => total + word, 0);
  const folded = (sum & 0xffff) + (sum >> 16);
  return ~((folded & 0xffff) + (folded >> 16)) & 0xffff;
}
