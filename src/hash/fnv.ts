/** The FNV-1a hashes (draft-eastlake-fnv): short, stable across releases, and no protection against an adversary. */

const OFFSET_32 = 0x811c9dc5;
const PRIME_32 = 0x01000193;
const OFFSET_64 = 0xcbf29ce484222325n;
const PRIME_64 = 0x100000001b3n;

/** @returns FNV-1a-32 of the text's UTF-8 bytes, an unsigned 32-bit integer */
export function fnv1a32(text: string): number {
  let hash = OFFSET_32;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, PRIME_32);
  return hash >>> 0;
}

/** @returns FNV-1a-64 of the text's UTF-8 bytes, an unsigned 64-bit integer */
export function fnv1a64(text: string): bigint {
  let hash = OFFSET_64;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * PRIME_64);
  return hash;
}
