import { assertEquals } from "@std/assert";
import { podMacOf } from "../../../src/hash/container_hash.ts";
import { ANYCAST, EXPECTED, ID, LINK, LIVE } from "./_well.ts";
import { judgeState, parseStateFile, type StateSight } from "./state.ts";

const OWN = {
  ...{ containerId: ID, netns: LIVE.netns, hostLink: LINK, podMac: podMacOf(ID), state: "committed", createdAt: 0 },
  ...{ pod: { uid: LIVE.uid }, ipv4: "198.18.0.7", ipv6: "2001:db8:f001::7" },
  ...{ anycast: [...ANYCAST], ready: true },
};
const OTHER = { ...OWN, containerId: "b".repeat(64), ipv4: "198.18.0.9", ipv6: "2001:db8:f001::9" };
const WRITTEN_AT = 1_000_000;

function sight({ allocations = [OWN], resting = [], tombstones = [] }: {
  allocations?: readonly object[];
  resting?: readonly object[];
  tombstones?: readonly object[];
} = {}): StateSight {
  return parseStateFile(JSON.stringify({ allocations, resting, tombstones }), WRITTEN_AT);
}

Deno.test("judgeState() says nothing of what must be there, nor of what garbage collection still owes", () => {
  assertEquals(judgeState(sight(), EXPECTED), []);
  const owed = new Set([OTHER.containerId]);
  assertEquals(judgeState(sight({ allocations: [OWN, OTHER] }), { ...EXPECTED, owed }), []);
});

Deno.test("judgeState() names an allocation without a pod, and a pod without one", () => {
  assertEquals(judgeState(sight({ allocations: [OWN, OTHER] }), EXPECTED), [
    `allocations: ${OTHER.containerId} is too much`,
  ]);
  assertEquals(judgeState(sight({ allocations: [] }), EXPECTED), [`allocations: ${ID} is missing`]);
});

Deno.test("judgeState() names an allocation that is pending, told otherwise, given twice or from elsewhere", () => {
  assertEquals(judgeState(sight({ allocations: [{ ...OWN, state: "pending" }] }), EXPECTED), [
    `allocation of ${ID}: committed is missing`,
    `allocation of ${ID}: pending is too much`,
  ]);
  assertEquals(judgeState(sight({ allocations: [{ ...OWN, ipv4: "198.18.0.8" }] }), EXPECTED), [
    `addresses of ${ID}: 198.18.0.7 is missing`,
    `addresses of ${ID}: 198.18.0.8 is too much`,
  ]);
  assertEquals(judgeState(sight({ allocations: [{ ...OWN, anycast: [], loose: {} }] }), EXPECTED), [
    ...ANYCAST.map((address) => `anycast addresses of ${ID}: ${address} is missing`),
    `allocation of ${ID}: an edit is not done`,
  ]);
  assertEquals(judgeState(sight({ allocations: [{ ...OWN, ready: false }] }), EXPECTED), [
    `allocation of ${ID}: Ready is noted as false`,
  ]);
  const owed = new Set([OTHER.containerId]);
  const judged = (ipv4: string): string[] =>
    judgeState(sight({ allocations: [OWN, { ...OTHER, ipv4 }] }), { ...EXPECTED, owed });
  assertEquals(judged("198.18.0.7"), ["198.18.0.7 is given twice"]);
  assertEquals(judged("198.18.4.7"), ["198.18.4.7 is not of this node's prefixes"]);
});

Deno.test("judgeState() names an address that rests although it is given, a rest without end, an old tombstone", () => {
  const judged = (address: string, freedAt: number): string[] =>
    judgeState(sight({ resting: [{ address, freedAt }] }), EXPECTED);
  assertEquals(judged("198.18.0.20", WRITTEN_AT - 30_000), []);
  assertEquals(judged("198.18.0.7", WRITTEN_AT), ["198.18.0.7 is given, and rests"]);
  assertEquals(judged("198.18.0.20", WRITTEN_AT - 61_000), ["198.18.0.20 still rests 61000 ms after it was freed"]);
  const tombstone = { containerId: "c", ifname: "eth0", until: WRITTEN_AT - 1 };
  assertEquals(judgeState(sight({ tombstones: [tombstone] }), EXPECTED), ["tombstone of c is 1 ms too old"]);
  assertEquals(judgeState(sight({ tombstones: [{ ...tombstone, until: WRITTEN_AT + 1 }] }), EXPECTED), []);
});
