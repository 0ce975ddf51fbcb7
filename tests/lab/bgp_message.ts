/** BGP as it is on the wire (RFC 4271, RFC 4760): as much as a test needs to see who announced what. */
import { addressOf, type Family, prefixOf } from "../../src/ip/address.ts";

export interface BgpMessage {
  readonly type: "OPEN" | "UPDATE" | "NOTIFICATION" | "KEEPALIVE" | "other";
  /** Prefixes, both families. */
  readonly announced: readonly string[];
  readonly withdrawn: readonly string[];
}

const HEADER = 19;
const TYPES = ["other", "OPEN", "UPDATE", "NOTIFICATION", "KEEPALIVE"] as const;
const REACHES = 14;
const REACHES_NO_MORE = 15;
const EXTENDED_LENGTH = 0x10;
const FAMILIES: readonly (Family | undefined)[] = [undefined, 4, 6];

/** @param stream one direction of a session, from a message's first byte on. @returns the whole messages, and how many bytes they take */
export function parseBgp(stream: Uint8Array): { messages: BgpMessage[]; size: number } {
  const messages: BgpMessage[] = [];
  let at = 0;
  while (stream.length - at >= HEADER) {
    const length = wordAt(stream, at + 16);
    if (length < HEADER) throw new Error(`Cannot read BGP: a message of ${length} bytes`);
    if (stream.length - at < length) break;
    messages.push(parseMessage(TYPES[stream[at + 18] ?? 0] ?? "other", stream.subarray(at + HEADER, at + length)));
    at += length;
  }
  return { messages, size: at };
}

function parseMessage(type: BgpMessage["type"], body: Uint8Array): BgpMessage {
  if (type !== "UPDATE") return { type, announced: [], withdrawn: [] };
  const attributesAt = 2 + wordAt(body, 0);
  const end = attributesAt + 2 + wordAt(body, attributesAt);
  const announced = parsePrefixes(4, body.subarray(end));
  const withdrawn = parsePrefixes(4, body.subarray(2, attributesAt));
  for (const { kind, value } of attributesIn(body.subarray(attributesAt + 2, end))) {
    const family = FAMILIES[wordAt(value, 0)];
    if (family === undefined) continue;
    if (kind === REACHES) announced.push(...parsePrefixes(family, value.subarray(5 + (value[3] ?? 0))));
    if (kind === REACHES_NO_MORE) withdrawn.push(...parsePrefixes(family, value.subarray(3)));
  }
  return { type, announced, withdrawn };
}

/** @returns those that name prefixes of a family */
function* attributesIn(bytes: Uint8Array): Generator<{ kind: number; value: Uint8Array }> {
  for (let at = 0; at + 3 <= bytes.length;) {
    const extended = ((bytes[at] ?? 0) & EXTENDED_LENGTH) !== 0;
    const [start, length] = extended ? [at + 4, wordAt(bytes, at + 2)] : [at + 3, bytes[at + 2] ?? 0];
    const kind = bytes[at + 1] ?? 0;
    if (kind === REACHES || kind === REACHES_NO_MORE) yield { kind, value: bytes.subarray(start, start + length) };
    at = start + length;
  }
}

function parsePrefixes(family: Family, bytes: Uint8Array): string[] {
  const prefixes: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes[at] ?? 0;
    const size = Math.ceil(length / 8);
    const digits = bytes.subarray(at + 1, at + 1 + size).toHex().padEnd(family === 4 ? 8 : 32, "0");
    prefixes.push(prefixOf(addressOf(family, BigInt(`0x${digits}`)), length).text);
    at += 1 + size;
  }
  return prefixes;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) << 8 | (bytes[at + 1] ?? 0);
}
