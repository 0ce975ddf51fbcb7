import { assert, assertEquals } from "@std/assert";
import { longFaultsOf } from "./long_faults.ts";

Deno.test("longFaultsOf() leaves short soaks alone, and long ones hold each fault whole, one after the other", () => {
  assertEquals(longFaultsOf(19.9), []);
  const faults = longFaultsOf(20);
  assertEquals(faults.map(({ fromMs, untilMs }) => untilMs - fromMs), [600_000, 250_000]);
  faults.forEach(({ fromMs }, index) => assert(fromMs >= (faults[index - 1]?.untilMs ?? 0)));
  assert(faults.every(({ untilMs }) => untilMs < 20 * 60_000));
});
