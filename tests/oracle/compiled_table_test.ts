import { assertGreater } from "@std/assert";
import { checkTable } from "./check_table.ts";
import { compileRaw } from "./compile_raw.ts";
import { expectAgreement } from "./expect_agreement.ts";
import { simulate } from "./simulate.ts";

Deno.test("compiled tables allow what the API's text allows, packet by packet in random clusters", () => {
  const { allowed, denied, open } = expectAgreement((world) => {
    const table = compileRaw(world);
    checkTable(table);
    return (packet) => simulate(table, packet);
  }, { worlds: 1500, packetsOfEach: 40 });
  for (const judged of [allowed, denied, open]) assertGreater(judged, 2000);
  assertGreater(allowed + denied + open, 20_000);
});
