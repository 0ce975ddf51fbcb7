import { assert, assertEquals } from "@std/assert";
import { ALL_CASES } from "./all_cases.ts";
import { findProofs, proofsIn } from "./find_proofs.ts";

const proofs = findProofs(new URL("../../", import.meta.url));

async function provenIds(): Promise<ReadonlySet<string>> {
  return new Set((await proofs).map(({ id }) => id));
}

Deno.test("proofsIn() reads claims from titles, and none from comments", () => {
  const claim = (ids: string): string => `Deno.test("subject criterion (${ids})", () => {});`;
  const idsIn = (source: string): string[] => proofsIn(source, "a_test.ts").map(({ id }) => id);
  assertEquals(idsIn(claim("I9, T-X-01, NP-02")), ["T-X-01", "NP-02"]);
  assertEquals(idsIn("t.step(`one (T-X-01) and ${two} (T-X-02)`)"), ["T-X-01", "T-X-02"]);
  assertEquals(idsIn(`// ${claim("T-X-01")}\n/* ${claim("T-X-02")} */ fetch("http://a/b"); // (T-X-03)`), []);
  assertEquals(idsIn('"no claim: T-X-01, (see T-X-02)"'), []);
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
