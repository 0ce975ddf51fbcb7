/** A captured frame. */
export interface Frame {
  /** When it was seen, in milliseconds since the epoch. */
  readonly at: number;
  /** From the destination's MAC address on. */
  readonly bytes: Uint8Array;
}

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
/** Of a file with nanoseconds, in the order of this machine. */
const MAGIC = 0xa1b23c4d;

/** @param file as `tcpdump -w` writes it with nanoseconds; its last record may be cut off. @throws when it is something else */
export function parsePcap(file: Uint8Array): Frame[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < FILE_HEADER) return [];
  if (view.getUint32(0, true) !== MAGIC) throw new Error("Cannot read a capture: it is no pcap file with nanoseconds");
  const frames: Frame[] = [];
  for (let at = FILE_HEADER; at + RECORD_HEADER <= file.length;) {
    const size = view.getUint32(at + 8, true);
    const bytes = file.subarray(at + RECORD_HEADER, at + RECORD_HEADER + size);
    if (bytes.length < size) break;
    frames.push({ at: view.getUint32(at, true) * 1000 + view.getUint32(at + 4, true) / 1e6, bytes });
    at += RECORD_HEADER + size;
  }
  return frames;
}
