import { InvalidInput, type Problem, quote } from "../fault/invalid_input.ts";
import { type Address, bitsOf, contains, type Family, parsePrefix, type Prefix } from "../ip/address.ts";
import type { BirdConfig, BirdPeer } from "./bird_config.ts";

const MAX_ASN = 4_294_967_295;

/** What no BGP speaker has as its address: BIRD refuses some of these, and never gets a session with the others. */
const NOT_UNICAST: readonly Prefix[] = [
  "0.0.0.0/8",
  "127.0.0.0/8",
  "224.0.0.0/3",
  "::/127",
  "::ffff:0:0/96",
  "fe80::/10",
  "ff00::/8",
].flatMap((text) => parsePrefix(text) ?? []);

/**
 * The last look before values become text. The parsers at the border refuse all of this with better words; what gets here
 * nevertheless is a mistake of flock's, and must not reach the daemon that carries the node's routes.
 *
 * @throws InvalidInput naming every value that BIRD would refuse or misread
 */
export function checkBirdConfig(config: BirdConfig): void {
  const problems = [
    ...checkRouterId(config.routerId),
    ...config.peers.flatMap(checkPeer),
    ...checkUniquePeers(config.peers),
    ...config.aggregates.flatMap((prefix) => checkPrefix(prefix, "aggregate")),
    ...[...config.hostRoutes, ...config.anycastRoutes].flatMap(checkHostRoute),
    ...checkAttributes(config.attributes),
    ...config.refusedImports.flatMap((prefix) => checkPrefix(prefix, "refused import")),
  ];
  if (problems.length > 0) throw new InvalidInput(problems);
}

function checkAttributes({ aggregates, anycast }: BirdConfig["attributes"] = {}): Problem[] {
  const all = [aggregates, anycast].flatMap((attributes) => attributes ?? []);
  const [own, large] = [all.flatMap((each) => each.communities), all.flatMap((each) => each.largeCommunities)];
  return [
    ...checkCommunities(own, { field: "community", parts: 2, max: 65535 }),
    ...checkCommunities(large, { field: "large community", parts: 3, max: MAX_ASN }),
    ...checkNumber(anycast?.med ?? 0, { field: "MED", min: 0, max: MAX_ASN }),
    ...checkNumber(anycast?.prepend ?? 0, { field: "prepend", min: 0, max: 10 }),
  ];
}

function checkCommunities(
  values: readonly (readonly number[])[],
  { field, parts, max }: { field: string; parts: number; max: number },
): Problem[] {
  return values.flatMap((value) => [
    ...checkNumber(value.length, { field: `parts of a ${field}`, min: parts, max: parts }),
    ...value.flatMap((part) => checkNumber(part, { field: `part of a ${field}`, min: 0, max })),
  ]);
}

function checkRouterId(id: Address): Problem[] {
  const valid = id.family === 4 && id.value > 0n && fits(id.family, id.value);
  return valid
    ? []
    : [{ field: "router id", value: String(id.text), rule: "must be an IPv4 address other than 0.0.0.0" }];
}

function checkPeer(peer: BirdPeer): Problem[] {
  const of = `of peer ${quote(String(peer.address.text))}`;
  return [
    ...checkSpeaker(peer.address, "peer"),
    ...checkAsn(peer.asn, `AS number ${of}`),
    ...checkAsn(peer.localAsn, `own AS number ${of}`),
    ...checkLocalAddress(peer, `local address ${of}`),
    ...checkOptions(peer, of),
  ];
}

function checkOptions(peer: BirdPeer, of: string): Problem[] {
  const { holdTime = 3, multihop = 2, importLimit = 1, bfd, address, localAddress, extendedNextHop } = peer;
  return [
    ...checkNumber(holdTime, { field: `hold time ${of}`, min: 3, max: 65535 }),
    ...checkNumber(multihop, { field: `hops ${of}`, min: 2, max: 255 }),
    ...checkPassword(peer.password, `password ${of}`),
    ...checkNumber(importLimit, { field: `import limit ${of}`, min: 1, max: 10_000_000 }),
    ...(bfd === undefined ? [] : [
      ...checkNumber(bfd.receiveInterval, { field: `BFD receive interval ${of}`, min: 10, max: 60_000 }),
      ...checkNumber(bfd.transmitInterval, { field: `BFD transmit interval ${of}`, min: 10, max: 60_000 }),
      ...checkNumber(bfd.multiplier, { field: `BFD multiplier ${of}`, min: 2, max: 255 }),
    ]),
    ...(bfd !== undefined && peer.multihop !== undefined && localAddress === undefined
      ? [{ field: `BFD ${of}`, value: "on", rule: "needs a local address over several hops" }]
      : []),
    ...(extendedNextHop === true && address.family === 4
      ? [{ field: `extended next hop ${of}`, value: "on", rule: "must be off with an IPv4 peer" }]
      : []),
  ];
}

/** BIRD ends a text with the next double quote, whatever stands before it. */
function checkPassword(password: string | undefined, field: string): Problem[] {
  if (password === undefined || /^[ !#-~]{1,80}$/.test(password)) return [];
  return [{ field, value: "not shown", rule: "must be 1 to 80 printable ASCII characters without a double quote" }];
}

function checkNumber(value: number, { field, min, max }: { field: string; min: number; max: number }): Problem[] {
  const valid = Number.isInteger(value) && value >= min && value <= max;
  return valid ? [] : [{ field, value: String(value), rule: `must be an integer from ${min} to ${max}` }];
}

function checkLocalAddress({ localAddress, address }: BirdPeer, field: string): Problem[] {
  if (localAddress === undefined) return [];
  if (localAddress.family === address.family) return checkSpeaker(localAddress, field);
  return [{ field, value: String(localAddress.text), rule: "must be of the peer's family" }];
}

function checkSpeaker(address: Address, field: string): Problem[] {
  const valid = isFamily(address.family) && fits(address.family, address.value) &&
    !NOT_UNICAST.some((range) => contains(range, address));
  return valid ? [] : [{ field, value: String(address.text), rule: "must be a unicast address of global scope" }];
}

function checkAsn(asn: number, field: string): Problem[] {
  const valid = Number.isInteger(asn) && asn >= 1 && asn <= MAX_ASN;
  return valid ? [] : [{ field, value: String(asn), rule: `must be an integer from 1 to ${MAX_ASN}` }];
}

function checkUniquePeers(peers: readonly BirdPeer[]): Problem[] {
  const key = (peer: BirdPeer): string => `${peer.address.family} ${peer.address.value}`;
  const keys = peers.map(key);
  const repeated = peers.filter((peer, index) => keys.indexOf(key(peer)) !== index);
  return repeated.map(({ address }) => ({ field: "peer", value: String(address.text), rule: "must be listed once" }));
}

function checkHostRoute(prefix: Prefix): Problem[] {
  const problems = checkPrefix(prefix, "host route");
  if (problems.length > 0 || prefix.length === bitsOf(prefix.family)) return problems;
  return [{ field: "host route", value: String(prefix.text), rule: "must be a /32 or /128" }];
}

function checkPrefix({ family, base, length, text }: Prefix, field: string): Problem[] {
  const sized = isFamily(family) && fits(family, base) && Number.isInteger(length) && length >= 0 &&
    length <= bitsOf(family);
  const valid = sized && base % (1n << BigInt(bitsOf(family) - length)) === 0n;
  return valid ? [] : [{ field, value: String(text), rule: "must be a prefix without host bits" }];
}

function isFamily(family: Family): boolean {
  return family === 4 || family === 6;
}

function fits(family: Family, value: bigint): boolean {
  return typeof value === "bigint" && value >= 0n && value >> BigInt(bitsOf(family)) === 0n;
}
