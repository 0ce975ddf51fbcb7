import { addressOf, bitsOf, type Prefix, prefixOf } from "../ip/address.ts";
import { fnv1a32 } from "../hash/fnv.ts";

const GROUP_BITS = 16;
const NIBBLE_BITS = 4;

/**
 * Puts identity into the host bits (`ip-algo`, spec section 3): from their top, one 16-bit group per text; the bits below stay free for
 * a random part of at least a nibble. Where 16 x (texts + 1) host bits are not there, each part is as many whole nibbles as fit, and of
 * a text's 16 bits the lowest are kept.
 *
 * @param range an IPv6 prefix
 * @param texts at least one
 * @returns the part of the range whose addresses carry the identity, or undefined when the range is too small
 */
export function identityRange(range: Prefix, texts: readonly string[]): Prefix | undefined {
  const hostBits = bitsOf(range.family) - range.length;
  const partBits = partBitsFor(hostBits, texts.length + 1);
  if (partBits === 0) return undefined;
  let value = range.base;
  texts.forEach((text, i) => {
    const part = foldTo16(fnv1a32(text)) & ((1 << partBits) - 1);
    value |= BigInt(part) << BigInt(hostBits - (i + 1) * partBits);
  });
  return prefixOf(addressOf(range.family, value), range.length + texts.length * partBits);
}

function partBitsFor(hostBits: number, parts: number): number {
  if (hostBits >= GROUP_BITS * parts) return GROUP_BITS;
  return NIBBLE_BITS * Math.floor(Math.floor(hostBits / NIBBLE_BITS) / parts);
}

/** The xor-fold that FNV's authors recommend for a hash of fewer bits. */
function foldTo16(hash: number): number {
  return ((hash >>> 16) ^ hash) & 0xffff;
}
