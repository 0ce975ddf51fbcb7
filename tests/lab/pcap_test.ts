import { assertEquals, assertThrows } from "@std/assert";
import { parseFrames, parsePcap, PCAP_HEADER } from "./pcap.ts";

/** A file of frames of these lengths, a second and a quarter apart. */
function fileOf(...lengths: readonly number[]): Uint8Array {
  const size = PCAP_HEADER + lengths.reduce((sum, length) => sum + 16 + length, 0);
  const view = new DataView(new ArrayBuffer(size));
  view.setUint32(0, 0xa1b23c4d, true);
  let at = PCAP_HEADER;
  for (const [index, length] of lengths.entries()) {
    view.setUint32(at, index, true);
    view.setUint32(at + 4, 250_000_000, true);
    view.setUint32(at + 8, length, true);
    at += 16 + length;
  }
  return new Uint8Array(view.buffer);
}

Deno.test("parsePcap() gives whole frames with their times, and leaves one that is cut off for the next look", () => {
  const file = fileOf(3, 5, 7);
  assertEquals(parsePcap(file).map(({ at, bytes }) => [at, bytes.length]), [[250, 3], [1250, 5], [2250, 7]]);
  const { frames, length } = parseFrames(file.subarray(PCAP_HEADER, file.length - 1));
  assertEquals([frames.length, length], [2, 16 + 3 + 16 + 5]);
  assertEquals(parseFrames(file.subarray(PCAP_HEADER + length)).frames.map(({ at }) => at), [2250]);
});

Deno.test("parsePcap() takes an empty file for no frames, and refuses what is no capture", () => {
  assertEquals(parsePcap(new Uint8Array()), []);
  assertThrows(() => parsePcap(new Uint8Array(PCAP_HEADER)), Error, "no pcap file");
});
