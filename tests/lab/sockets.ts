/**
 * Sockets in any network namespace of the machine, all held by this process: a test can ask from everywhere without a
 * process anywhere.
 */
import { addressOf, type Family, parseAddress } from "../../src/ip/address.ts";
import { bytesOf } from "./raw_frames.ts";

/** `sctp` is a raw socket of its protocol number: kernels that lack SCTP forward it all the same. */
export type SocketProtocol = "tcp" | "udp" | "sctp";

/** An open socket's file descriptor. */
export type Socket = number;

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

const TYPES = { tcp: [1, 6], udp: [2, 17], sctp: [3, 132] } as const; // SOCK_STREAM, SOCK_DGRAM, SOCK_RAW; IPPROTO_*
const FAMILIES = { 4: 2, 6: 10 } as const; // AF_INET, AF_INET6
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const O_CLOEXEC = SOCK_CLOEXEC;
const HOME = "/proc/thread-self/ns/net";
const CLONE_NEWNET = 0x40000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_LINGER = 13;
const TCP_INFO = 11;
const TCP_CLOSE = 7;
const MSG_NOSIGNAL = 0x4000;
const MAX_PACKET = 65536;

const SYMBOLS = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  setns: { parameters: ["i32", "i32"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
  recvfrom: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "buffer"], result: "isize" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
} as const;

/** None of its calls waits. Sockets that are still open are closed with it. */
export class Sockets implements Disposable {
  readonly #libc = Deno.dlopen("libc.so.6", SYMBOLS);
  readonly #open = new Set<Socket>();
  // path -> file descriptor: opened once, since there are a thousand sockets in ten namespaces
  readonly #namespaces = new Map<string, number>();
  readonly #buffer = new Uint8Array(MAX_PACKET);

  /** @param netns a path such as `/proc/PID/ns/net`. @throws when it is none */
  open(netns: string, { family, protocol }: { family: Family; protocol: SocketProtocol }): Socket {
    const [type, number] = TYPES[protocol];
    const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    const socket = this.#inside(netns, () => this.#libc.symbols.socket(FAMILIES[family], type | flags, number));
    if (socket < 0) throw new Error(`Cannot open a ${protocol} socket in ${netns}: the kernel refuses`);
    this.#open.add(socket);
    this.#set(socket, SO_REUSEADDR, [1]);
    return socket;
  }

  bind(socket: Socket, { address, port }: Endpoint): void {
    const at = encode({ address, port });
    if (this.#libc.symbols.bind(socket, at, at.length) !== 0) {
      throw new Error(`Cannot bind a socket to ${address} port ${port}: the kernel refuses`);
    }
  }

  listen(socket: Socket): void {
    if (this.#libc.symbols.listen(socket, 1024) !== 0) throw new Error("Cannot listen: the kernel refuses");
  }

  /** What becomes of it shows later. */
  connect(socket: Socket, to: Endpoint): void {
    const at = encode(to);
    this.#libc.symbols.connect(socket, at, at.length);
  }

  /** @returns undefined when nobody waits */
  accept(socket: Socket): { readonly socket: Socket; readonly from: Endpoint } | undefined {
    const [from, length] = [new Uint8Array(28), new Uint32Array([28])];
    const accepted = this.#libc.symbols.accept4(socket, from, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0) return undefined;
    this.#open.add(accepted);
    return { socket: accepted, from: decode(from) };
  }

  /** @param to of a socket that is not connected. @returns how many bytes were taken */
  send(socket: Socket, bytes: Uint8Array<ArrayBuffer>, to?: Endpoint): number {
    const at = to === undefined ? null : encode(to);
    const size = BigInt(bytes.length);
    return Math.max(0, Number(this.#libc.symbols.sendto(socket, bytes, size, MSG_NOSIGNAL, at, at?.length ?? 0)));
  }

  /** @returns undefined when there is nothing; no bytes at the end of a connection. `from` means nothing for TCP */
  receive(socket: Socket): { readonly bytes: Uint8Array; readonly from: Endpoint } | undefined {
    const [from, length] = [new Uint8Array(28), new Uint32Array([28])];
    const size = this.#libc.symbols.recvfrom(socket, this.#buffer, BigInt(MAX_PACKET), 0, from, length);
    return size < 0 ? undefined : { bytes: this.#buffer.slice(0, Number(size)), from: decode(from) };
  }

  /** @returns whether the other end, or the kernel, has ended the TCP connection, or refused it */
  isClosed(socket: Socket): boolean {
    const info = new Uint8Array(8);
    this.#libc.symbols.getsockopt(socket, TYPES.tcp[1], TCP_INFO, info, new Uint32Array([info.length]));
    return info[0] === TCP_CLOSE;
  }

  /** Closes it at once, with a reset if it is a TCP connection: its port is free again. Idempotent. */
  close(socket: Socket): void {
    if (!this.#open.delete(socket)) return;
    this.#set(socket, SO_LINGER, [1, 0]);
    this.#libc.symbols.close(socket);
  }

  [Symbol.dispose](): void {
    for (const socket of [...this.#open]) this.close(socket);
    for (const file of this.#namespaces.values()) this.#libc.symbols.close(file);
    this.#libc.close();
  }

  /** Only this thread is inside, and nothing else of it runs meanwhile. A socket stays where it was made. */
  #inside<T>(netns: string, task: () => T): T {
    const { setns } = this.#libc.symbols;
    const [home, there] = [this.#namespace(HOME), this.#namespace(netns)];
    if (setns(there, CLONE_NEWNET) !== 0) throw new Error(`Cannot enter ${netns}: it is no network namespace`);
    try {
      return task();
    } finally {
      if (setns(home, CLONE_NEWNET) !== 0) Deno.exit(1); // whatever ran on would run in the wrong network
    }
  }

  #namespace(path: string): number {
    const file = this.#namespaces.get(path) ??
      this.#libc.symbols.open(new TextEncoder().encode(`${path}\0`), O_CLOEXEC);
    if (file < 0) throw new Error(`Cannot open the network namespace ${path}: there is none`);
    this.#namespaces.set(path, file);
    return file;
  }

  #set(socket: Socket, option: number, values: readonly number[]): void {
    const value = new Uint8Array(new Int32Array(values).buffer);
    this.#libc.symbols.setsockopt(socket, SOL_SOCKET, option, value, value.length);
  }
}

/** struct sockaddr_in, sockaddr_in6. */
function encode({ address: text, port }: Endpoint): Uint8Array<ArrayBuffer> {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`Cannot use ${text}: no address`);
  const head = [FAMILIES[address.family], 0, port >> 8, port & 0xff];
  const rest = address.family === 4
    ? [...bytesOf(address), 0, 0, 0, 0, 0, 0, 0, 0]
    : [0, 0, 0, 0, ...bytesOf(address), 0, 0, 0, 0];
  return new Uint8Array([...head, ...rest]);
}

function decode(bytes: Uint8Array): Endpoint {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const family: Family = bytes[0] === FAMILIES[6] ? 6 : 4;
  const part = family === 4 ? bytes.subarray(4, 8) : bytes.subarray(8, 24);
  return { address: addressOf(family, BigInt(`0x${part.toHex()}`)).text, port: view.getUint16(2) };
}

export function familyOf(address: string): Family {
  return address.includes(":") ? 6 : 4;
}
