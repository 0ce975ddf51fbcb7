/**
 * What arrives at links, and what the node itself sends, past all sockets' rules: for the network namespace that this
 * process runs in.
 */
import { bytesOf } from "./raw_frames.ts";
import type { Address } from "../../src/ip/address.ts";

/** An IP packet, from its header on, as it came in by a link. */
export interface Arrival {
  readonly link: string;
  readonly bytes: Uint8Array;
}

const AF_INET = 2;
const AF_INET6 = 10;
const AF_PACKET = 17;
const SOCK_RAW = 3;
const IPPROTO_RAW = 255;
const EVERY_PROTOCOL = 0x0300; // ETH_P_ALL in network order
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const PACKET_OUTGOING = 4;
const ETHERNET_HEADER = 14;
const BUFFER = 16 * 1024 * 1024;

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  if_nametoindex: { parameters: ["buffer"], result: "u32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
  recvfrom: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "buffer"], result: "isize" },
} as const;

/** Hears the links from its making on. None of its calls waits. */
export class PacketTap implements Disposable {
  readonly #libc = Deno.dlopen("libc.so.6", SYMBOLS);
  readonly #tap: number;
  readonly #raw: Readonly<Record<4 | 6, number>>;
  // index -> name
  readonly #links: ReadonlyMap<number, string>;
  readonly #buffer = new Uint8Array(65536);

  /** @param links that are there */
  constructor(links: readonly string[]) {
    const { socket, if_nametoindex: indexOf, setsockopt } = this.#libc.symbols;
    this.#links = new Map(links.map((link) => [indexOf(new TextEncoder().encode(`${link}\0`)), link]));
    this.#tap = socket(AF_PACKET, SOCK_RAW, EVERY_PROTOCOL);
    this.#raw = { 4: socket(AF_INET, SOCK_RAW, IPPROTO_RAW), 6: socket(AF_INET6, SOCK_RAW, IPPROTO_RAW) };
    if (this.#links.has(0) || [this.#tap, ...Object.values(this.#raw)].some((each) => each < 0)) {
      throw new Error(`Cannot tap ${links.join()}: a link is missing, or the kernel refuses`);
    }
    setsockopt(this.#tap, SOL_SOCKET, SO_RCVBUFFORCE, new Uint8Array(new Int32Array([BUFFER]).buffer), 4);
  }

  /** @returns the IP packets that came in since the last call */
  take(): Arrival[] {
    const arrivals: Arrival[] = [];
    const from = new Uint8Array(20);
    const view = new DataView(from.buffer);
    for (;;) {
      const size = this.#libc.symbols.recvfrom(
        this.#tap,
        this.#buffer,
        65536n,
        MSG_DONTWAIT,
        from,
        new Uint32Array([20]),
      );
      if (size < 0n) return arrivals;
      const link = this.#links.get(view.getInt32(4, true));
      const isIp = [0x0800, 0x86dd].includes(view.getUint16(2));
      if (link === undefined || !isIp || view.getUint8(10) === PACKET_OUTGOING) continue;
      arrivals.push({ link, bytes: this.#buffer.slice(ETHERNET_HEADER, Number(size)) });
    }
  }

  /** Sends a packet as the node's own: it has come in by no link. @param bytes from the IP header on */
  sendFromNode(bytes: Uint8Array<ArrayBuffer>, to: Address): void {
    const at = to.family === 4
      ? [AF_INET, 0, 0, 0, ...bytesOf(to), 0, 0, 0, 0, 0, 0, 0, 0]
      : [AF_INET6, 0, 0, 0, 0, 0, 0, 0, ...bytesOf(to), 0, 0, 0, 0];
    const sent = this.#libc.symbols
      .sendto(this.#raw[to.family], bytes, BigInt(bytes.length), 0, new Uint8Array(at), at.length);
    if (sent !== BigInt(bytes.length)) throw new Error(`Cannot send to ${to.text} from the node: the kernel refuses`);
  }

  [Symbol.dispose](): void {
    for (const socket of [this.#tap, ...Object.values(this.#raw)]) this.#libc.symbols.close(socket);
    this.#libc.close();
  }
}
