import type { Family } from "../../src/ip/address.ts";

/** What a frame carries of a TCP connection. */
export interface Segment {
  readonly family: Family;
  /** `SOURCE PORT > DESTINATION PORT`, addresses as in the frame, in hexadecimal. */
  readonly flow: string;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** Number of the payload's first byte. */
  readonly sequence: number;
  readonly payload: Uint8Array;
}

const ETHERNET_HEADER = 14;
const TCP = 6;

/** @returns undefined for anything but TCP over IP without extension headers */
export function parseSegment(frame: Uint8Array): Segment | undefined {
  const packet = frame.subarray(ETHERNET_HEADER);
  if (packet.length < 20) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const version = view.getUint8(0) >> 4;
  if (version === 4 && view.getUint8(9) === TCP) {
    const body = packet.subarray((view.getUint8(0) & 15) * 4, view.getUint16(2));
    return segmentOf(4, { source: packet.subarray(12, 16), destination: packet.subarray(16, 20), body });
  }
  if (version === 6 && packet.length >= 60 && view.getUint8(6) === TCP) {
    const body = packet.subarray(40, 40 + view.getUint16(4));
    return segmentOf(6, { source: packet.subarray(8, 24), destination: packet.subarray(24, 40), body });
  }
  return undefined;
}

function segmentOf(
  family: Family,
  { source, destination, body }: Record<"source" | "destination" | "body", Uint8Array>,
): Segment {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const flow = `${source.toHex()} ${view.getUint16(0)} > ${destination.toHex()} ${view.getUint16(2)}`;
  const payload = body.subarray((view.getUint8(12) >> 4) * 4);
  return { family, flow, source, destination, sequence: view.getUint32(4), payload };
}
