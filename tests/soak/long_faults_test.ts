import { assert, assertEquals } from "@std/assert";
import { longFaultsOf } from "./long_faults.ts";

Deno.test("longFaultsOf() leaves short soaks alone, and long ones hold each fault whole, one after the other", () => {
  assertEquals(longFaultsOf(19.9), []);
  const faults = longFaultsOf(20);
  assertEquals(faults.map(({ forMs }) => forMs), [600_000, 250_000]);
  const ends = faults.map(({ fromMs, forMs }) => fromMs + forMs);
  faults.forEach(({ fromMs }, index) => assert(fromMs >= (ends[index - 1] ?? 0)));
  assert(ends.every((end) => end < 20 * 60_000));
});
