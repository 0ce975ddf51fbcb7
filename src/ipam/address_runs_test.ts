import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { AddressRuns } from "./address_runs.ts";

const STEPS = fc.array(fc.record({ add: fc.boolean(), value: fc.bigInt({ min: 0n, max: 40n }) }), { maxLength: 120 });
const SPAN = fc.record({ first: fc.bigInt({ min: 0n, max: 41n }), last: fc.bigInt({ min: -1n, max: 41n }) });

Deno.test("AddressRuns answers like a plain set after any steps", () => {
  fc.assert(fc.property(STEPS, SPAN, (steps, span) => {
    const [runs, model] = [new AddressRuns(), new Set<bigint>()];
    for (const { add, value } of steps) {
      if (add) runs.add(value);
      else runs.remove(value);
      if (add) model.add(value);
      else model.delete(value);
    }
    const within: bigint[] = [];
    for (let value = span.first; value <= span.last; value++) within.push(value);
    for (let value = 0n; value <= 41n; value++) assertEquals(runs.has(value), model.has(value));
    assertEquals(runs.firstOutside(span), within.find((value) => !model.has(value)));
    assertEquals(runs.countWithin(span), BigInt(within.filter((value) => model.has(value)).length));
  }));
});
