import { parseAddress } from "../../src/ip/address.ts";

/** @returns the address as 32 or 128 digits of 0 and 1; undefined when it is none */
export function bitsOfAddress(text: string): string | undefined {
  const address = parseAddress(text);
  return address?.value.toString(2).padStart(address.family === 4 ? 32 : 128, "0");
}

/**
 * @returns the digits that all addresses of the block start with, and how many digits its addresses have; undefined
 * when it is no block
 */
export function bitsOfBlock(text: string): { prefix: string; digits: number } | undefined {
  const [address = "", length = "", ...more] = text.split("/");
  const bits = bitsOfAddress(address);
  if (bits === undefined || more.length > 0 || !/^(0|[1-9]\d*)$/.test(length) || Number(length) > bits.length) {
    return undefined;
  }
  return { prefix: bits.slice(0, Number(length)), digits: bits.length };
}

/** Says whether the block holds the address; host bits of the block count for nothing. */
export function isInBlock(address: string, block: string): boolean {
  const bits = bitsOfAddress(address);
  const parsed = bitsOfBlock(block);
  return bits !== undefined && bits.length === parsed?.digits && bits.startsWith(parsed.prefix);
}
