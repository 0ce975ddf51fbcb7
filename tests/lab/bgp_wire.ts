/** What is on the wire between the router and its neighbours, with the kernel's own time of each frame. */
import { addressOf, type Family } from "../../src/ip/address.ts";
import { type BgpMessage, parseBgp } from "./bgp_message.ts";
import { startCapture } from "./capture.ts";
import type { Frame } from "./pcap.ts";
import type { Place } from "./place.ts";
import { parseSegment, type Segment } from "./tcp_segment.ts";
import { until, type UntilOptions } from "./until.ts";

/** A message as it passed by. */
export interface Heard extends BgpMessage {
  /** In milliseconds since the epoch. */
  readonly at: number;
  /** Who sent it. */
  readonly from: string;
  readonly to: string;
}

export interface BgpWire extends AsyncDisposable {
  /** @returns all messages so far but KEEPALIVEs, in the order of their time */
  heard(): Promise<readonly Heard[]>;
  /** Waits for a message. @throws when there is none within the time-out */
  first(what: string, wanted: (message: Heard) => boolean, options?: UntilOptions): Promise<Heard>;
}

/** Starts to listen on a link of the place. @param directory of the lab, where the capture is kept */
export async function listenToBgp(
  place: Place,
  { link, directory }: { readonly link: string; readonly directory: string },
): Promise<BgpWire> {
  const capture = await startCapture(place, { link, directory, filter: "tcp port 179" });
  const heard = async (): Promise<Heard[]> => messagesIn(await capture.read());
  return {
    heard,
    first: (what, wanted, options) => until(what, async () => (await heard()).find(wanted), options),
    [Symbol.asyncDispose]: () => capture[Symbol.asyncDispose](),
  };
}

/** @returns the messages of all sessions in the frames, but KEEPALIVEs; what was sent again counts once */
export function messagesIn(frames: readonly Frame[]): Heard[] {
  const streams = new Map<string, Stream>();
  return frames.flatMap(({ at, bytes }) => {
    const segment = parseSegment(bytes);
    if (segment === undefined || segment.payload.length === 0) return [];
    const stream = streams.get(segment.flow) ?? new Stream();
    streams.set(segment.flow, stream);
    const [from, to] = [segment.source, segment.destination].map((bytes) => textOf(segment.family, bytes));
    const messages = stream.take(segment).filter(({ type }) => type !== "KEEPALIVE");
    return messages.map((message) => ({ ...message, at, from: from ?? "", to: to ?? "" }));
  });
}

function textOf(family: Family, bytes: Uint8Array): string {
  return addressOf(family, BigInt(`0x${bytes.toHex()}`)).text;
}

/** One direction of a connection. A message's time is that of the frame that ended it. */
class Stream {
  #rest = new Uint8Array();
  #next: number | undefined;

  take({ sequence, payload }: Segment): BgpMessage[] {
    const known = ((this.#next ?? sequence) - sequence) | 0;
    if (known >= payload.length) return [];
    this.#next = (sequence + payload.length) >>> 0;
    const bytes = new Uint8Array([...this.#rest, ...payload.subarray(Math.max(0, known))]);
    const { messages, size } = parseBgp(bytes);
    this.#rest = bytes.slice(size);
    return messages;
  }
}
