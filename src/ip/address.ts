/** IP addresses and prefixes as values: parsed once at the border, canonical ever after. Parsing is `ipaddr.js`'s. */
import ipaddr from "ipaddr.js";

/** The IP version: 4 (RFC 791) or 6 (RFC 8200). */
export type Family = 4 | 6;

/** The families in the order in which flock lists them. */
export const FAMILIES: readonly Family[] = [6, 4];

/** One IP address. Two addresses are equal when their `text` is. */
export interface Address {
  readonly family: Family;
  /** The 32 or 128 bits as a number. */
  readonly value: bigint;
  /** Canonical text: dotted decimal, or RFC 5952. */
  readonly text: string;
}

/** One prefix without host bits. Two prefixes are equal when their `text` is. */
export interface Prefix {
  readonly family: Family;
  /** The network address as a number; its host bits are zero. */
  readonly base: bigint;
  /** Prefix length in bits. */
  readonly length: number;
  /** Canonical text, `address/length`. */
  readonly text: string;
}

/** 32 or 128. */
export function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128;
}

/**
 * Reads one address in its ordinary form. Octal, hexadecimal and short IPv4 forms, zones and brackets are not addresses
 * here; neither is anything with spaces around it.
 *
 * @returns the address, or undefined when the text is not one
 */
export function parseAddress(text: string): Address | undefined {
  if (parsed.has(text)) return parsed.get(text);
  const address = readAddress(text);
  if (parsed.size >= MAX_PARSED) parsed.clear();
  parsed.set(text, address);
  return address;
}

/** An address costs some 30 us to read, and each is read again and again: from records, links, routes and neighbours. */
const parsed = new Map<string, Address | undefined>();
const MAX_PARSED = 4096;

function readAddress(text: string): Address | undefined {
  if (text.includes("%")) return undefined;
  if (!text.includes(":")) {
    return isDottedDecimal(text) ? addressOf(4, bytesToValue(ipaddr.IPv4.parse(text).toByteArray())) : undefined;
  }
  const tail = text.slice(text.lastIndexOf(":") + 1);
  if (tail.includes(".") && !isDottedDecimal(tail)) return undefined;
  return ipaddr.IPv6.isValid(text) ? addressOf(6, bytesToValue(ipaddr.IPv6.parse(text).toByteArray())) : undefined;
}

/** Others read a leading zero as octal: 010 is 8 to inet_aton(3) and 10 to most people. */
function isDottedDecimal(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text) && !/(^|\.)0\d/.test(text);
}

/** @returns the address with these bits; the value must fit the family */
export function addressOf(family: Family, value: bigint): Address {
  return { family, value, text: formatValue(family, value) };
}

/**
 * Reads `address/length`, host bits allowed.
 *
 * @returns the address as written and its length, or undefined when the text is not of that form
 */
export function parseInterfaceAddress(text: string): { address: Address; length: number } | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const address = match?.[1] === undefined ? undefined : parseAddress(match[1]);
  const length = Number(match?.[2]);
  if (address === undefined || length > bitsOf(address.family)) return undefined;
  return { address, length };
}

/**
 * Reads a prefix whose host bits are zero.
 *
 * @returns the prefix, or undefined when the text is not one or has host bits set
 */
export function parsePrefix(text: string): Prefix | undefined {
  const parsed = parseInterfaceAddress(text);
  if (parsed === undefined) return undefined;
  const prefix = prefixOf(parsed.address, parsed.length);
  return prefix.base === parsed.address.value ? prefix : undefined;
}

/** @returns the prefix of that length that holds the address */
export function prefixOf(address: Address, length: number): Prefix {
  const hostBits = BigInt(bitsOf(address.family) - length);
  const base = (address.value >> hostBits) << hostBits;
  return { family: address.family, base, length, text: `${formatValue(address.family, base)}/${length}` };
}

/** @returns the /32 or /128 of one address */
export function hostPrefix(address: Address): Prefix {
  return prefixOf(address, bitsOf(address.family));
}

/** Says whether the prefix is of a single address. */
export function isHost({ family, length }: Prefix): boolean {
  return length === bitsOf(family);
}

/** @returns how many addresses the prefix has */
export function sizeOf(prefix: Prefix): bigint {
  return 1n << BigInt(bitsOf(prefix.family) - prefix.length);
}

/** Says whether the outer prefix holds the address, or every address of the prefix. */
export function contains(outer: Prefix, inner: Address | Prefix): boolean {
  if (outer.family !== inner.family) return false;
  const base = "base" in inner ? inner.base : inner.value;
  const length = "base" in inner ? inner.length : bitsOf(inner.family);
  const hostBits = BigInt(bitsOf(outer.family) - outer.length);
  return length >= outer.length && base >> hostBits === outer.base >> hostBits;
}

/** Says whether two prefixes share an address. */
export function overlaps(a: Prefix, b: Prefix): boolean {
  return contains(a, b) || contains(b, a);
}

/** Orders addresses and prefixes: IPv4 before IPv6, then by number, then shorter prefixes first. */
export function compareIp(a: Address | Prefix, b: Address | Prefix): number {
  const [valueA, valueB] = ["base" in a ? a.base : a.value, "base" in b ? b.base : b.value];
  if (a.family !== b.family) return a.family - b.family;
  if (valueA !== valueB) return valueA < valueB ? -1 : 1;
  return ("base" in a ? a.length : 0) - ("base" in b ? b.length : 0);
}

function bytesToValue(bytes: readonly number[]): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** Written out: an agent formats every address that it announces with every change of one. */
function formatValue(family: Family, value: bigint): string {
  const hex = value.toString(16).padStart(bitsOf(family) / 4, "0");
  return family === 4 ? partsOf(hex, 2).join(".") : compress(partsOf(hex, 4));
}

/** RFC 5952, section 4: no leading zeros, and `::` for the first of the longest runs of two zero groups or more. */
function compress(groups: readonly number[]): string {
  let [start, length, run] = [-1, 1, 0];
  for (const [i, group] of groups.entries()) {
    run = group === 0 ? run + 1 : 0;
    if (run > length) [start, length] = [i - run + 1, run];
  }
  const texts = groups.map((group) => group.toString(16));
  return start < 0 ? texts.join(":") : `${texts.slice(0, start).join(":")}::${texts.slice(start + length).join(":")}`;
}

/** @returns the numbers that so many digits each stand for */
function partsOf(hex: string, digits: number): number[] {
  const parts: number[] = [];
  for (let i = 0; i < hex.length; i += digits) parts.push(parseInt(hex.slice(i, i + digits), 16));
  return parts;
}
