// deno-lint-ignore-file no-console -- a task that prints
/** `deno task ids`: every case with the titles of the tests that prove it, or the reason why none does. */
import { ALL_CASES } from "./all_cases.ts";
import type { Case } from "./case.ts";
import { findProofs, type Proof } from "./find_proofs.ts";

const ROOT = new URL("../../", import.meta.url);

async function main(): Promise<void> {
  const proofsOf = Map.groupBy(await findProofs(ROOT), ({ id }) => id);
  for (const one of ALL_CASES) console.log(show(one, proofsOf.get(one.id) ?? []));
  const proven = ALL_CASES.filter(({ id }) => proofsOf.has(id)).length;
  const waiting = ALL_CASES.filter(({ id, pending }) => pending !== undefined && !proofsOf.has(id)).length;
  console.log(`${ALL_CASES.length} cases: ${proven} with tests, ${waiting} pending without any`);
}

function show({ id, asks, decided, pending, doesNotApply }: Case, proofs: readonly Proof[]): string {
  return [
    `${id}  ${asks}`,
    ...(decided === undefined ? [] : [`    decided: ${decided}`]),
    ...proofs.map(({ title, path }) => `    ${path}: ${title}`),
    ...(pending === undefined ? [] : [`    pending: ${pending}`]),
    ...(doesNotApply === undefined ? [] : [`    does not apply: ${doesNotApply}`]),
  ].join("\n");
}

main();
