import { assert, assertEquals } from "@std/assert";
import { findOffenders } from "./find_offenders.ts";

/** @returns what was found among a hundred of which these are refused, and how often it asked */
async function search(bad: readonly number[]): Promise<{ found: number[]; asked: number }> {
  let asked = 0;
  const found = await findOffenders(Array.from({ length: 100 }, (_, index) => index), (some) => {
    asked++;
    return Promise.resolve(bad.some((each) => some.includes(each)));
  });
  return { found, asked };
}

Deno.test("findOffenders() finds each that is refused by itself, by a few questions", async () => {
  for (const bad of [[], [0], [99], [41], [3, 4], [0, 50, 99]]) {
    const { found, asked } = await search(bad);
    assertEquals(found, bad);
    assert(asked <= 1 + 2 * 7 * bad.length, `${asked} questions for ${bad.length}`);
  }
});

Deno.test("findOffenders() blames none of several that are refused only together", async () => {
  const isRefused = (some: readonly string[]): Promise<boolean> =>
    Promise.resolve(some.includes("a") && some.includes("z"));
  assertEquals(await findOffenders(["a", "m", "n", "z"], isRefused), []);
});
