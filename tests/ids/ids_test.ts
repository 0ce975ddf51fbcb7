import { assert, assertEquals } from "@std/assert";
import { ALL_CASES } from "./all_cases.ts";
import { findProofs, proofsIn } from "./find_proofs.ts";

const proofs = findProofs(new URL("../../", import.meta.url));

async function provenIds(): Promise<ReadonlySet<string>> {
  return new Set((await proofs).map(({ id }) => id));
}

const idsIn = (source: string): string[] => proofsIn(source, "a_test.ts").map(({ id }) => id);

Deno.test("proofsIn() reads claims from titles of tests, steps and scenes", () => {
  assertEquals(idsIn('Deno.test("one (I9, T-X-01, NP-02)", () => {});'), ["T-X-01", "NP-02"]);
  assertEquals(idsIn("  await t.step(`one (T-X-01) and ${two} (T-X-02)`, one);"), ["T-X-01", "T-X-02"]);
  assertEquals(idsIn('  await step("one (T-X-01)", one);'), ["T-X-01"]);
  assertEquals(idsIn('scene(\n  "a \\"quoted\\" one (T-X-01)",\n  play,\n);'), ["T-X-01"]);
});

Deno.test("proofsIn() reads none from comments, ignored tests, and texts that are no title", () => {
  const claim = 'Deno.test("one (T-X-01)", () => {});';
  assertEquals(idsIn(`// ${claim}\n/* ${claim} */ fetch("http://a/b"); // (T-X-03)`), []);
  assertEquals(idsIn('Deno.test.ignore("one (T-X-01)", () => {});'), []);
  assertEquals(idsIn('Deno.test("one (T-X-01)", {\n  ignore: ASSETS === undefined,\n}, () => {});'), []);
  assertEquals(idsIn('Deno.test({ name: "one (T-X-01)", ignore: true, fn });'), []);
  assertEquals(idsIn(`const text = '${claim}';\nassert(log.includes("(T-X-02)"), "one (T-X-03)");`), []);
  assertEquals(idsIn('Deno.test("no claim: T-X-01, (see T-X-02)", () => {});'), []);
});

Deno.test("every case stands once in the list", () => {
  assertEquals([...Map.groupBy(ALL_CASES, ({ id }) => id)].filter(([, cases]) => cases.length > 1), []);
});

Deno.test("every case has a test, waits for a feature, or does not apply", async () => {
  const proven = await provenIds();
  const open = ALL_CASES.filter(({ id, pending, doesNotApply }) =>
    !proven.has(id) && pending === undefined && doesNotApply === undefined
  );
  assertEquals(open.map(({ id }) => id), []);
});

Deno.test("no title names a case that is not in the list", async () => {
  const known = new Set(ALL_CASES.map(({ id }) => id));
  assertEquals((await proofs).filter(({ id }) => !known.has(id)), []);
});

Deno.test("no case both has a test and does not apply", async () => {
  const proven = await provenIds();
  assert(proven.size > 50, "the titles were not found");
  assertEquals(ALL_CASES.filter(({ id, doesNotApply }) => doesNotApply !== undefined && proven.has(id)), []);
});
