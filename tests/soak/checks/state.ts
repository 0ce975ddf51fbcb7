/** The state file by itself: allocations that are whole and unique, rests and tombstones that end. */
import { record, records } from "../../lab/json.ts";
import { hostLinkName, podMacOf } from "../../../src/hash/container_hash.ts";
import { contains, parseAddress, parsePrefix } from "../../../src/ip/address.ts";
import { compare, duplicates } from "./compare.ts";
import type { Expectation } from "./expectation.ts";

export interface SeenAllocation {
  readonly containerId: string;
  readonly podUid: string;
  readonly netns: string;
  readonly hostLink: string;
  readonly podMac: string;
  readonly state: string;
  readonly addresses: readonly string[];
  readonly anycast: readonly string[];
  /** Only kept of those that have anycast addresses. */
  readonly ready: boolean;
  /** Whether an edit has left something on its way in or out. */
  readonly loose: boolean;
  /** Wall clock, milliseconds. */
  readonly createdAt: number;
}

export interface StateSight {
  readonly allocations: readonly SeenAllocation[];
  /** address -> wall clock, milliseconds */
  readonly resting: readonly (readonly [address: string, freedAt: number])[];
  /** Containers whose late ADD must undo itself, and until when. */
  readonly tombstones: readonly (readonly [containerId: string, until: number])[];
  /** When the file was written; wall clock, milliseconds. */
  readonly writtenAt: number;
}

/** An address rests for 30 s (spec section 4); a write that is a little late may still name it. */
const LONGEST_REST_MS = 60_000;

/** @param text of the state file */
export function parseStateFile(text: string, writtenAt: number): StateSight {
  const { allocations, resting, tombstones } = record(JSON.parse(text));
  return {
    allocations: records(allocations).map(parseSeen),
    resting: records(resting).map(({ address, freedAt }) => [String(address), Number(freedAt)] as const),
    tombstones: records(tombstones).map(({ containerId, until }) => [String(containerId), Number(until)] as const),
    writtenAt,
  };
}

function parseSeen(entry: Record<string, unknown>): SeenAllocation {
  const { containerId, pod, netns, hostLink, podMac, state, ipv4, ipv6, anycast, ready, loose, createdAt } = entry;
  return {
    containerId: String(containerId),
    podUid: String(record(pod)["uid"] ?? ""),
    netns: String(netns),
    hostLink: String(hostLink),
    podMac: String(podMac),
    state: String(state),
    addresses: [ipv4, ipv6].filter((address) => address !== undefined).map(String).sort(),
    anycast: Array.isArray(anycast) ? anycast.map(String) : [],
    ready: ready === true,
    loose: loose !== undefined,
    createdAt: Number(createdAt),
  };
}

export function judgeState(
  { allocations, resting, tombstones, writtenAt }: StateSight,
  expected: Expectation,
): string[] {
  const { live, owed, prefixes } = expected;
  const given = allocations.flatMap(({ addresses }) => addresses);
  const isOurs = membership(prefixes);
  const rested = resting.filter(([, freedAt]) => writtenAt - freedAt > LONGEST_REST_MS);
  return [
    ...compare("allocations", allocations.map(({ containerId }) => containerId), live.map(({ id }) => id), owed),
    ...allocations.flatMap((allocation) => judgeAllocation(allocation, expected)),
    ...duplicates(given),
    ...given.filter((address) => !isOurs(address)).map((address) => `${address} is not of this node's prefixes`),
    ...resting.filter(([address]) => given.includes(address)).map(([address]) => `${address} is given, and rests`),
    ...rested.map(([address, freedAt]) => `${address} still rests ${writtenAt - freedAt} ms after it was freed`),
    ...tombstones.filter(([, until]) => until < writtenAt)
      .map(([id, until]) => `tombstone of ${id} is ${writtenAt - until} ms too old`),
  ];
}

function judgeAllocation(seen: SeenAllocation, { live }: Expectation): string[] {
  const { containerId, addresses, anycast, ready, loose, netns, hostLink, podMac, state } = seen;
  const alive = live.find(({ id }) => id === containerId);
  if (alive === undefined) return [];
  return [
    ...compare(`addresses of ${containerId}`, addresses, alive.addresses),
    ...compare(`anycast addresses of ${containerId}`, anycast, alive.anycast),
    ...(loose ? [`allocation of ${containerId}: an edit is not done`] : []),
    ...(alive.anycast.length === 0 || alive.ready === undefined || alive.ready === ready
      ? []
      : [`allocation of ${containerId}: Ready is noted as ${ready}`]),
    ...compare(`allocation of ${containerId}`, [state, netns, hostLink, podMac], [
      "committed",
      alive.netns,
      hostLinkName(containerId),
      podMacOf(containerId),
    ]),
  ];
}

function membership(prefixes: readonly string[]): (address: string) => boolean {
  const parsed = prefixes.flatMap((prefix) => parsePrefix(prefix) ?? []);
  return (text) => {
    const address = parseAddress(text);
    return address !== undefined && parsed.some((prefix) => contains(prefix, address));
  };
}
