/**
 * The state file's text. Version 1 is one JSON object that begins with exactly `{"version":1,"checksum":"<SHA-256>",` and a newline;
 * the checksum covers every byte after that. Fields that this release does not know are kept.
 */
import { sha256 } from "../hash/sha256.ts";
import { type Allocation, allocationKey } from "../ipam/allocation.ts";
import { parseAllocation, parseCursors, parseResting, parseTombstones } from "./parse_state.ts";
import { type State, StateVersionUnknown } from "./state.ts";
import { expectArray, expectRecord, expectText, expectWhole, StateDamaged } from "./state_damaged.ts";

const VERSION = 1;
const HEADER_START = `{"version":${VERSION},"checksum":"`;
const HEADER_END = `",\n`;
const CHECKSUM_LENGTH = 64;
const BODY_AT = HEADER_START.length + CHECKSUM_LENGTH + HEADER_END.length;

/** What the file says. */
export interface StateDocument {
  readonly bootId: string;
  readonly nodeName: string;
  /** Counts writes. */
  readonly generation: number;
  readonly state: State;
  /** Top-level fields of a newer release, kept as they are. */
  readonly unknownFields: Readonly<Record<string, unknown>>;
}

/** @returns the file's bytes */
export function renderStateDocument(document: StateDocument): Uint8Array<ArrayBuffer> {
  const placeholder = " ".repeat(CHECKSUM_LENGTH);
  const bytes = new TextEncoder().encode(`${HEADER_START}${placeholder}${HEADER_END}${renderBody(document)}`);
  const checksum = sha256(bytes.subarray(BODY_AT));
  bytes.set(new TextEncoder().encode(checksum), HEADER_START.length);
  return bytes;
}

/**
 * @returns what the bytes say
 * @throws StateVersionUnknown when they name another version, of whatever form; StateDamaged when they are not what flock wrote
 */
export function parseStateDocument(bytes: Uint8Array<ArrayBuffer>): StateDocument {
  const text = decode(bytes);
  const {
    version,
    checksum: _,
    bootId,
    nodeName,
    generation,
    allocations,
    resting,
    tombstones,
    cursors,
    ...unknownFields
  } = expectRecord(parseJson(text), "the file");
  expectVersion(version);
  expectChecksum(text, bytes);
  return {
    bootId: expectText(bootId, "bootId"),
    nodeName: expectText(nodeName, "nodeName"),
    generation: expectWhole(generation, "generation"),
    state: {
      allocations: byKey(expectArray(allocations, "allocations").map(parseAllocation)),
      resting: parseResting(resting),
      tombstones: parseTombstones(tombstones),
      cursors: parseCursors(cursors),
    },
    unknownFields,
  };
}

function renderBody({ bootId, nodeName, generation, state, unknownFields }: StateDocument): string {
  const allocations = Array.from(state.allocations.values(), renderAllocation).join(",\n");
  const { resting, tombstones } = state;
  const rest = { resting, tombstones, cursors: Object.fromEntries(state.cursors), ...unknownFields };
  const head = JSON.stringify({ bootId, nodeName, generation });
  return `${head.slice(1, -1)},\n"allocations":[\n${allocations}\n],\n${JSON.stringify(rest).slice(1)}\n`;
}

// A write renders what changed and joins the rest: 250 allocations, of which one is new.
const rendered = new WeakMap<Allocation, string>();

function renderAllocation(allocation: Allocation): string {
  const known = rendered.get(allocation);
  if (known !== undefined) return known;
  const text = JSON.stringify(allocation);
  rendered.set(allocation, text);
  return text;
}

function decode(bytes: Uint8Array): string {
  if (bytes.length === 0) throw new StateDamaged("the file is empty");
  if (bytes.includes(0)) throw new StateDamaged("the file holds NUL bytes");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new StateDamaged("the file is not UTF-8");
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new StateDamaged("the file is not JSON, or ends too soon");
  }
}

/** A newer release may count its versions in another form, "2.0" say: what is there and not ours is never ours to replace. */
function expectVersion(version: unknown): void {
  if (version === undefined) throw new StateDamaged("version is missing");
  if (version === VERSION) return;
  throw new StateVersionUnknown(`it is of version ${JSON.stringify(version)}, this release knows ${VERSION}`);
}

function expectChecksum(text: string, bytes: Uint8Array<ArrayBuffer>): void {
  const checksum = sha256(bytes.subarray(BODY_AT));
  if (!text.startsWith(HEADER_START + checksum + HEADER_END)) throw new StateDamaged("the checksum does not match");
}

function byKey(allocations: readonly Allocation[]): ReadonlyMap<string, Allocation> {
  const map = new Map<string, Allocation>();
  const addresses = new Set<string>();
  for (const allocation of allocations) {
    const key = allocationKey(allocation);
    if (map.has(key)) throw new StateDamaged(`two allocations are of ${key}`);
    map.set(key, allocation);
    for (const address of [allocation.ipv6, allocation.ipv4]) {
      if (address === undefined) continue;
      if (addresses.has(address)) throw new StateDamaged(`two allocations hold ${address}`);
      addresses.add(address);
    }
  }
  return map;
}
