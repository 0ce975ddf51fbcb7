/** What the tests of IPAM share. */
import { assert } from "@std/assert";
import type { Clock } from "../clock/clock.ts";
import { type Address, parseAddress, parsePrefix, type Prefix } from "../ip/address.ts";
import { createIpam } from "./create_ipam.ts";
import { type AllocationRange, type FamilyRequest, type Ipam, PoolExhausted } from "./ipam.ts";
import type { RandomBits } from "./random_bits.ts";

/** Reads a prefix that must be one. */
export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  assert(parsed !== undefined, text);
  return parsed;
}

/** Reads an address that must be one. */
export function address(text: string): Address {
  const parsed = parseAddress(text);
  assert(parsed !== undefined, text);
  return parsed;
}

/** A node CIDR, and the part of it that may be used. */
export function range(nodeCidr: string, part = nodeCidr): AllocationRange {
  return { range: prefix(part), nodeCidr: prefix(nodeCidr) };
}

/** What a pod asks for that may use these ranges. */
export function want(...ranges: AllocationRange[]): FamilyRequest {
  return { family: ranges[0]?.range.family ?? 4, ranges };
}

/** A clock that stands still until told. */
export interface ManualClock extends Clock {
  /** Moves both clocks. */
  pass(ms: number): void;
  /** Moves the wall clock alone. */
  setWall(ms: number): void;
}

/** A clock that nobody may sleep on. */
export function manualClock(): ManualClock {
  let [monotonic, wall] = [5_000, 1_700_000_000_000];
  return {
    monotonic: () => monotonic,
    wall: () => wall,
    sleep: () => Promise.reject(new Error("Cannot sleep: nothing here waits")),
    pass: (ms) => {
      monotonic += ms;
      wall += ms;
    },
    setWall: (ms) => {
      wall = ms;
    },
  };
}

/** A repeatable source: a linear congruential generator, its high bits. */
export function seededRandom(seed = 1): RandomBits {
  let state = BigInt(seed);
  return (bits) => {
    let value = 0n;
    for (let i = 0; i < 128; i += 32) {
      state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
      value = (value << 32n) | (state >> 32n);
    }
    return BigInt.asUintN(bits, value);
  };
}

/** An empty address management on a clock of its own. */
export function setUp(random: RandomBits = seededRandom()): { ipam: Ipam; clock: ManualClock } {
  const clock = manualClock();
  return { ipam: createIpam({ clock, random }), clock };
}

/** The one address that the request is given. */
export function give(ipam: Ipam, request: FamilyRequest): Address {
  const { ipv4, ipv6 } = ipam.allocate([request]);
  const given = ipv4 ?? ipv6;
  assert(given !== undefined);
  return given;
}

/** Everything that the range still gives. */
export function drain(ipam: Ipam, request: FamilyRequest): Address[] {
  const given: Address[] = [];
  for (;;) {
    try {
      given.push(give(ipam, request));
    } catch (error) {
      assert(error instanceof PoolExhausted, String(error));
      return given;
    }
  }
}
