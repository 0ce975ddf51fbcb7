import { type Address, contains, parseAddress } from "../ip/address.ts";
import type { FieldReader, Fields } from "./_field_reader.ts";
import { SPECIAL_RANGES } from "./_special_ranges.ts";
import { readAnycastAttributes, readAttributes } from "./_route_attributes.ts";
import type { Bfd, Bgp, BgpPeer, SessionOptions } from "./node_config.ts";

/** Of an address or a prefix. */
export const LONGEST_TEXT = 43;
const MAX_PEERS = 16;
const ASN = { min: 1, max: 4294967295 };
const HOLD_TIME = { min: 3, max: 65535 }; // RFC 4271 section 4.2
const HOPS = { min: 2, max: 255 };
const IMPORT_LIMIT = { min: 1, max: 10_000_000 };
const MAX_ANNOUNCED = { min: 1, max: 100_000 };
const INTERVAL = { min: 10, max: 60_000 };
const MULTIPLIER = { min: 2, max: 255 };
const FILE = /^[A-Za-z0-9][-._A-Za-z0-9]{0,252}$/;
const BFD = { receiveInterval: 300, transmitInterval: 300, multiplier: 3 };

/** Reads `spec.bgp`. @returns undefined when absent or refused */
export function readBgp(reader: FieldReader, value: unknown): Bgp | undefined {
  if (value === undefined || value === null) return undefined;
  const bgp = reader.object("spec.bgp", value);
  const asn = reader.integer("spec.bgp.asn", bgp["asn"], ASN);
  const routerId = readRouterId(reader, bgp["routerId"]);
  const peers = readPeers(reader, bgp["peers"]);
  const maxAnnounced = reader.optionalInteger("spec.bgp.maxAnnounced", bgp["maxAnnounced"], MAX_ANNOUNCED);
  const aggregates = readAttributes(reader, "spec.bgp.aggregates", bgp["aggregates"]);
  const anycast = readAnycastAttributes(reader, "spec.bgp.anycast", bgp["anycast"]);
  if (asn === undefined) return undefined;
  return {
    ...{ asn, peers },
    ...(routerId && { routerId }),
    ...(maxAnnounced !== undefined && { maxAnnounced }),
    ...(aggregates && { aggregates }),
    ...(anycast && { anycast }),
  };
}

function readRouterId(reader: FieldReader, value: unknown): Address | undefined {
  if (value === undefined || value === null) return undefined;
  const address = readAddress(value);
  if (address?.family !== 4) return reader.refuse("spec.bgp.routerId", value, "must be an IPv4 address");
  return address.value > 0n ? address : reader.refuse("spec.bgp.routerId", value, "must not be 0.0.0.0");
}

function readPeers(reader: FieldReader, value: unknown): BgpPeer[] {
  const peers: BgpPeer[] = [];
  for (const { field, value: item } of reader.list("spec.bgp.peers", value, MAX_PEERS)) {
    const peer = reader.object(field, item);
    const address = readPeerAddress(reader, `${field}.address`, peer["address"]);
    const asn = reader.integer(`${field}.asn`, peer["asn"], ASN);
    const password = readPassword(reader, `${field}.password`, peer["password"]);
    const options = { ...(password && { password }), ...readOptions(reader, { field, peer, address }) };
    if (address === undefined || asn === undefined) continue;
    if (peers.every((other) => other.address.text !== address.text)) peers.push({ address, asn, ...options });
    else reader.refuse(`${field}.address`, address.text, "must be unique among the peers");
  }
  return peers;
}

function readPeerAddress(reader: FieldReader, field: string, value: unknown): Address | undefined {
  const address = readAddress(value);
  if (address === undefined) return reader.refuse(field, value, "must be an IP address");
  const special = SPECIAL_RANGES.find((range) => contains(range, address));
  return special === undefined ? address : reader.refuse(field, value, `must not be an address of ${special.text}`);
}

function readAddress(value: unknown): Address | undefined {
  return typeof value === "string" && value.length <= LONGEST_TEXT ? parseAddress(value) : undefined;
}

/** A key of the Secret, which is a file's name. */
function readPassword(reader: FieldReader, field: string, value: unknown): BgpPeer["password"] {
  if (value === undefined || value === null) return undefined;
  const { file } = reader.object(field, value);
  if (typeof file === "string" && FILE.test(file)) return { file };
  return reader.refuse(`${field}.file`, file, "must be a key of the Secret: letters, digits, '-', '_' and '.'");
}

function readOptions(
  reader: FieldReader,
  { field, peer, address }: { field: string; peer: Fields; address: Address | undefined },
): SessionOptions {
  const integer = (name: string, bounds: { min: number; max: number }): number | undefined =>
    reader.optionalInteger(`${field}.${name}`, peer[name], bounds);
  const boolean = (name: string, otherwise: boolean): boolean =>
    reader.boolean(`${field}.${name}`, peer[name], otherwise);
  const [holdTime, multihop] = [integer("holdTime", HOLD_TIME), integer("multihop", HOPS)];
  const importLimit = integer("importLimit", IMPORT_LIMIT);
  const bfd = readBfd(reader, `${field}.bfd`, peer["bfd"]);
  const extendedNextHop = boolean("extendedNextHop", false);
  if (extendedNextHop && address?.family === 4) {
    reader.refuse(`${field}.extendedNextHop`, true, "must be left out with an IPv4 peer");
  }
  if (importLimit !== undefined && multihop !== undefined) {
    reader.refuse(`${field}.importLimit`, importLimit, "must be left out with multihop: nothing is imported then");
  }
  return {
    ...(holdTime !== undefined && { holdTime }),
    ...(bfd && { bfd }),
    ...(multihop !== undefined && { multihop }),
    ...(boolean("ttlSecurity", false) && { ttlSecurity: true }),
    ...(!boolean("gracefulRestart", true) && { gracefulRestart: false }),
    ...(extendedNextHop && { extendedNextHop }),
    ...(importLimit !== undefined && { importLimit }),
  };
}

/** An empty object turns it on. */
function readBfd(reader: FieldReader, field: string, value: unknown): Bfd | undefined {
  if (value === undefined || value === null) return undefined;
  const bfd = reader.object(field, value);
  const integer = (name: keyof Bfd, bounds: { min: number; max: number }): number =>
    reader.optionalInteger(`${field}.${name}`, bfd[name], bounds) ?? BFD[name];
  return {
    receiveInterval: integer("receiveInterval", INTERVAL),
    transmitInterval: integer("transmitInterval", INTERVAL),
    multiplier: integer("multiplier", MULTIPLIER),
  };
}
