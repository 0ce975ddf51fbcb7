import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Address, addressOf, contains, sizeOf } from "../ip/address.ts";
import { range, seededRandom, setUp, want } from "./_ipam_fixture.ts";
import { REST_MS } from "./create_ipam.ts";
import { type AllocationRange, type Ipam, PoolExhausted } from "./ipam.ts";

type Step = { readonly kind: "allocate" | "release" | "undo" | "pass"; readonly pick: number; readonly pool: number };

const STEP: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("allocate", "allocate", "release", "undo", "pass"),
  pick: fc.nat(1_000),
  pool: fc.nat(3),
});
/** node CIDR and part, per pool: one small, one part of one address, one that lies inside another, one large. */
const POOLS: readonly [AllocationRange, AllocationRange][] = [
  [range("2001:db8::/125"), range("203.0.113.0/29")],
  [range("2001:db8::/125", "2001:db8::3/128"), range("203.0.113.0/29", "203.0.113.3/32")],
  [range("2001:db8::/125", "2001:db8::/126"), range("203.0.113.0/29", "203.0.113.4/30")],
  [range("2001:db8:1::/64"), range("198.51.100.0/28")],
];

/** What IPAM must have in mind: who holds what, and when each free address was last freed. */
class Model {
  readonly held: Address[] = [];
  readonly freedAt = new Map<string, number>();
}

function isReserved({ value, family }: Address, { nodeCidr }: AllocationRange): boolean {
  const host = value - nodeCidr.base;
  const last = (1n << BigInt((family === 4 ? 32 : 128) - nodeCidr.length)) - 1n;
  return host === 0n || (family === 4 && (host === 1n || host === last));
}

/** Small enough to list. */
function isSmall({ range }: AllocationRange): boolean {
  return sizeOf(range) <= 16n;
}

/** The usable addresses of a small range that nobody holds: address -> when it was freed, -Infinity for those that rest no more. */
function freeIn(model: Model, at: AllocationRange, now: number): Map<string, number> {
  const held = new Set(model.held.map(({ text }) => text));
  const free = Array.from(
    { length: Number(sizeOf(at.range)) },
    (_, i) => addressOf(at.range.family, at.range.base + BigInt(i)),
  )
    .filter((candidate) => !isReserved(candidate, at) && !held.has(candidate.text));
  return new Map(free.map(({ text }) => {
    const freedAt = model.freedAt.get(text) ?? -Infinity;
    return [text, now - freedAt >= REST_MS ? -Infinity : freedAt];
  }));
}

function checkGiven(model: Model, given: Address, at: AllocationRange, now: number): void {
  assert(contains(at.range, given), `${given.text} outside ${at.range.text}`);
  assert(!isReserved(given, at), `${given.text} is reserved`);
  assert(!model.held.some(({ text }) => text === given.text), `${given.text} given twice`);
  if (!isSmall(at)) return;
  const free = freeIn(model, at, now);
  assertEquals(free.get(given.text), Math.min(...free.values()), `${given.text} although another was free longer`);
}

function allocateBoth(ipam: Ipam, model: Model, step: Step & { now: number }): void {
  const pools = POOLS[step.pool];
  assert(pools !== undefined);
  try {
    const { ipv6, ipv4 } = ipam.allocate(pools.map((pool) => want(pool)));
    assert(ipv6 !== undefined && ipv4 !== undefined);
    checkGiven(model, ipv6, pools[0], step.now);
    checkGiven(model, ipv4, pools[1], step.now);
    model.held.push(ipv6, ipv4);
  } catch (error) {
    assert(error instanceof PoolExhausted, String(error));
    assert(pools.some((pool) => isSmall(pool) && freeIn(model, pool, step.now).size === 0));
  }
}

Deno.test("any sequence of steps: no duplicates, no reserved address, rests kept, all or nothing (I1, I8, I9, I10, I11)", () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 80 }), fc.nat(), (steps, seed) => {
      const { ipam, clock } = setUp(seededRandom(seed));
      const model = new Model();
      for (const step of steps) {
        if (step.kind === "allocate") allocateBoth(ipam, model, { ...step, now: clock.monotonic() });
        if (step.kind === "pass") clock.pass(step.pick * 20);
        if (step.kind !== "release" && step.kind !== "undo") continue;
        const [held] = model.held.splice(step.pick % Math.max(1, model.held.length), 1);
        if (held === undefined) continue;
        if (step.kind === "undo") {
          ipam.undo(held);
        } else {
          ipam.release(held);
          model.freedAt.set(held.text, clock.monotonic());
        }
      }
      const used = POOLS.slice(0, 1).concat(POOLS.slice(3)).flat().map((pool) => ipam.usage(pool.nodeCidr).used);
      assertEquals(used.reduce((sum, n) => sum + n, 0), model.held.length);
    }),
    { numRuns: 400 },
  );
});
