/** The README's table of faults, and the test that tries each of them. */
import { assertEquals } from "@std/assert";
import { cellsOf, FAULT_COLUMNS, FAULTS } from "../e2e/_faults.ts";
import { readRules } from "../monitoring/rules.ts";
import { ROOT } from "./_module_graph.ts";

Deno.test("the README's table of faults has what the test of them sees, row by row", async () => {
  const lines = (await Deno.readTextFile(new URL("README.md", ROOT))).split("\n").map(cellsIn);
  const start = lines.findIndex((cells) => cells.join() === FAULT_COLUMNS.join());
  const rows = lines.slice(start + 2, lines.findIndex((cells, index) => index > start && cells.length === 0));
  assertEquals(rows, FAULTS.map(cellsOf));
});

Deno.test("every alert that a fault fires is a rule, and at least twenty faults fire one or are told of by an Event", async () => {
  const rules = new Set((await readRules()).map(({ alert }) => alert));
  assertEquals(FAULTS.flatMap(({ alert }) => alert === undefined || rules.has(alert) ? [] : [alert]), []);
  assertEquals(FAULTS.filter(({ alert, event }) => alert !== undefined || event !== undefined).length >= 20, true);
});

/** @returns none where the line is no row of a table */
function cellsIn(line: string): string[] {
  return line.startsWith("| ") ? line.split("|").slice(1, -1).map((cell) => cell.trim()) : [];
}
