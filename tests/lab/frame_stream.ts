/**
 * Sends numbered UDP datagrams at an even rate, past the sender's own kernel and from any source: `deno run -A frame_stream.ts SOCKET`. It serves one connection on that unix
 * socket, a line of JSON for each request and one for its answer.
 */
import { parseAddress } from "../../src/ip/address.ts";
import { frameOf, FrameSender, withChecksum } from "./raw_frames.ts";

/** What to send. */
export interface Stream {
  /** Told from others by the receiver; 16 bits. */
  readonly tag: number;
  /** Link to send on. */
  readonly link: string;
  /** Network namespace of that link, below /run/netns; absent: the process's own. */
  readonly netns?: string;
  /** MAC address of whoever shall take the frames. */
  readonly mac: string;
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly perSecond: number;
}

/** `stop` ends the stream of that tag. */
export type StreamRequest = { readonly start: Stream } | { readonly stop: number };

/** To `stop`: how many datagrams were sent. */
export interface StreamAnswer {
  readonly sent: number;
  readonly error?: string;
}

/** The program. */
export const STREAM_PROGRAM: string = new URL(import.meta.url).pathname;

const UDP = 17;
const UDP_HEADER = 8;
/** Number and its complement, so that all of a stream have one checksum; then the tag. */
const PAYLOAD = 12;
const CLONE_NEWNET = 0x40000000;

/** @returns the number of a datagram of a stream, and the stream's tag; undefined for another frame */
export function parseStreamFrame(frame: Uint8Array): { readonly number: number; readonly tag: number } | undefined {
  if (frame.length < UDP_HEADER + PAYLOAD) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset + frame.length - PAYLOAD, PAYLOAD);
  const number = view.getUint32(0);
  return view.getUint32(4) === (~number >>> 0) ? { number, tag: view.getUint32(8) } : undefined;
}

function render({ from, to, mac, port, tag }: Stream): Uint8Array<ArrayBuffer> {
  const [source, target] = [parseAddress(from), parseAddress(to)];
  if (source === undefined || target === undefined) throw new Error(`Cannot send from ${from} to ${to}: no addresses`);
  const body = new Uint8Array(UDP_HEADER + PAYLOAD);
  const view = new DataView(body.buffer);
  view.setUint16(0, 40_000 + tag % 20_000);
  view.setUint16(2, port);
  view.setUint16(4, body.length);
  view.setUint32(UDP_HEADER + 4, 0xffffffff);
  view.setUint32(UDP_HEADER + 8, tag);
  return frameOf(withChecksum({ from: source, to: target, protocol: UDP, body }, 6), mac);
}

/** One stream. Sends whatever is due by now; what the kernel refuses, as while the link is not there yet, is never sent. */
class Sender implements Disposable {
  readonly #frame: Uint8Array<ArrayBuffer>;
  readonly #startedAt = performance.now();
  #due = 0;
  #socket: FrameSender | undefined;
  sent = 0;

  constructor(private readonly stream: Stream, private readonly within: Within) {
    this.#frame = render(stream);
  }

  tick(): void {
    const { perSecond, netns, link } = this.stream;
    const due = Math.floor((performance.now() - this.#startedAt) * perSecond / 1000);
    const count = Math.min(due - this.#due, perSecond / 10);
    this.#due = due;
    try {
      this.#socket ??= this.within(netns, () => new FrameSender(link));
      for (let n = 0; n < count; n++) this.#send(this.#socket);
    } catch {
      // There is no such link yet, or it is down.
    }
  }

  [Symbol.dispose](): void {
    this.#socket?.[Symbol.dispose]();
  }

  #send(socket: FrameSender): void {
    const view = new DataView(this.#frame.buffer, this.#frame.length - PAYLOAD, PAYLOAD);
    view.setUint32(0, this.sent);
    view.setUint32(4, ~this.sent >>> 0);
    socket.sendFrame(this.#frame);
    this.sent++;
  }
}

/** Does something in a network namespace. */
type Within = <T>(netns: string | undefined, task: () => T) => T;

/** Sockets belong to the namespace that the thread is in when they are made. */
function enterNamespaces(): Within {
  const libc = Deno.dlopen("libc.so.6", {
    setns: { parameters: ["i32", "i32"], result: "i32" },
    open: { parameters: ["buffer", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
  const open = (path: string): number => libc.symbols.open(new TextEncoder().encode(`${path}\0`), 0);
  const own = open("/proc/thread-self/ns/net");
  return (netns, task) => {
    if (netns === undefined) return task();
    const other = open(`/run/netns/${netns}`);
    try {
      if (libc.symbols.setns(other, CLONE_NEWNET) !== 0) throw new Error(`Cannot enter ${netns}: no such namespace`);
      return task();
    } finally {
      libc.symbols.setns(own, CLONE_NEWNET);
      libc.symbols.close(other);
    }
  };
}

async function main([path = ""]: readonly string[]): Promise<void> {
  const within = enterNamespaces();
  const senders = new Map<number, Sender>();
  setInterval(() => senders.forEach((sender) => sender.tick()), 1);
  const obey = (request: StreamRequest): StreamAnswer => {
    if ("start" in request) {
      senders.set(request.start.tag, new Sender(request.start, within));
      return { sent: 0 };
    }
    using sender = senders.get(request.stop);
    senders.delete(request.stop);
    return { sent: sender?.sent ?? 0 };
  };
  using listener = Deno.listen({ transport: "unix", path });
  const connection = await listener.accept();
  let rest = "";
  for await (const chunk of connection.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      await connection.write(new TextEncoder().encode(`${JSON.stringify(obey(JSON.parse(line)))}\n`));
    }
  }
}

if (import.meta.main) main(Deno.args);
