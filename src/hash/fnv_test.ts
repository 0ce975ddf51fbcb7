import { assertEquals } from "@std/assert";
import { fnv1a32, fnv1a64 } from "./fnv.ts";

// From the test vectors of draft-eastlake-fnv and of its authors' own code.
const VECTORS: readonly [string, number, bigint][] = [
  ["", 0x811c9dc5, 0xcbf29ce484222325n],
  ["a", 0xe40c292c, 0xaf63dc4c8601ec8cn],
  ["b", 0xe70c2de5, 0xaf63df4c8601f1a5n],
  ["foobar", 0xbf9cf968, 0x85944171f73967e8n],
];

Deno.test("fnv1a32() and fnv1a64() give the published values", () => {
  for (const [text, hash32, hash64] of VECTORS) {
    assertEquals(fnv1a32(text), hash32);
    assertEquals(fnv1a64(text), hash64);
  }
});

Deno.test("fnv1a32() hashes UTF-8 bytes, not UTF-16 units", () => {
  assertEquals(fnv1a32("\u00e9"), (Math.imul(Math.imul(0x811c9dc5 ^ 0xc3, 0x01000193) ^ 0xa9, 0x01000193)) >>> 0);
});
