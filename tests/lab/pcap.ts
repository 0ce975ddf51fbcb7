/** A captured frame. */
export interface Frame {
  /** When it was seen, in milliseconds since the epoch. */
  readonly at: number;
  /** From the destination's MAC address on. */
  readonly bytes: Uint8Array;
}

/** Bytes before the first frame of a file. */
export const PCAP_HEADER = 24;
const RECORD_HEADER = 16;
/** Of a file with nanoseconds, in the order of this machine. */
const MAGIC = 0xa1b23c4d;

/** @param file as `tcpdump -w` writes it with nanoseconds; its last record may be cut off. @throws when it is something else */
export function parsePcap(file: Uint8Array): Frame[] {
  if (file.length < PCAP_HEADER) return [];
  const magic = new DataView(file.buffer, file.byteOffset).getUint32(0, true);
  if (magic !== MAGIC) throw new Error("Cannot read a capture: it is no pcap file with nanoseconds");
  return parseFrames(file.subarray(PCAP_HEADER)).frames;
}

/** @param bytes of a file, from the beginning of a frame on. @returns the whole frames, and how many bytes they are */
export function parseFrames(bytes: Uint8Array): { frames: Frame[]; length: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Frame[] = [];
  let at = 0;
  while (at + RECORD_HEADER <= bytes.length) {
    const end = at + RECORD_HEADER + view.getUint32(at + 8, true);
    if (end > bytes.length) break;
    const time = view.getUint32(at, true) * 1000 + view.getUint32(at + 4, true) / 1e6;
    frames.push({ at: time, bytes: bytes.subarray(at + RECORD_HEADER, end) });
    at = end;
  }
  return { frames, length: at };
}
