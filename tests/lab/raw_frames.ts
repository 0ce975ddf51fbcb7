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

/** Asks for the MAC address of `target` (RFC 826). */
export interface ArpRequest {
  readonly from: Address;
  readonly target: Address;
}

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETHERTYPES = { 4: 0x0800, 6: 0x86dd, arp: 0x0806 };
const BROADCAST = "ff:ff:ff:ff:ff:ff";
const SENDER_MAC = [2, 0, 0, 0, 0, 99];

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
    this.#socket = this.#libc.symbols.socket(AF_PACKET, SOCK_RAW, 0);
    this.#index = this.#libc.symbols.if_nametoindex(new TextEncoder().encode(`${link}\0`));
    if (this.#socket < 0 || this.#index === 0) throw new Error(`Cannot open a packet socket on ${link}: no such link`);
  }

  /** @param destination the MAC address of whoever shall take the frame */
  send(packet: Packet, destination: string): void {
    this.#send(ETHERTYPES[packet.from.family], { destination, body: ipPacket(packet) });
  }

  /** Broadcasts the request, as a host that knows no neighbour does. */
  sendArp({ from, target }: ArpRequest): void {
    const addresses = [...SENDER_MAC, ...bytesOf(from), 0, 0, 0, 0, 0, 0, ...bytesOf(target)];
    this.#send(ETHERTYPES.arp, { destination: BROADCAST, body: [0, 1, 8, 0, 6, 4, 0, 1, ...addresses] });
  }

  #send(type: number, { destination, body }: { destination: string; body: readonly number[] }): void {
    const mac = destination.split(":").map((byte) => parseInt(byte, 16));
    const frame = new Uint8Array([...mac, ...SENDER_MAC, type >> 8, type & 0xff, ...body]);
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

/** @returns the packet with the checksum over body and addresses in place. @param at where it stands: 2 in ICMPv6, 16 in TCP */
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

function bytesOf({ family, value }: Address): number[] {
  const size = family === 4 ? 4 : 16;
  return Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * (size - 1 - i))) & 0xffn));
}

/** RFC 1071. */
function checksum(bytes: readonly number[]): number {
  const words = bytes.map((byte, i) => i % 2 === 0 ? byte << 8 : byte);
  const sum = words.reduce((total, word) => total + word, 0);
  const folded = (sum & 0xffff) + (sum >> 16);
  return ~((folded & 0xffff) + (folded >> 16)) & 0xffff;
}
