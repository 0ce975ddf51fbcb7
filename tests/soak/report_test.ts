import { assertEquals, assertStringIncludes } from "@std/assert";
import { Report } from "./report.ts";

Deno.test("Report counts a line once for as long as it stays wrong, and again when it comes back", async () => {
  const directory = await Deno.makeTempDir();
  const report = new Report({ file: `${directory}/soak.json`, seed: 1, minutes: 1 });
  const add = (where: string, ...what: string[]): number => {
    const found = report.add({ where, what, evidence: "" });
    report.forgetAllBut({ where, what });
    return found;
  };
  assertEquals([add("node-a", "x", "y"), add("node-a", "x", "y"), add("node-b", "x")], [2, 0, 1]);
  assertEquals([add("node-a", "y"), add("node-b", "x"), add("node-a", "x", "y")], [0, 0, 1]);
  assertStringIncludes(report.end(), "0 namespaces left by killed containerds, 4 discrepancies");
  const last = (await Deno.readTextFile(`${directory}/soak.json`)).trim().split("\n").at(-1) ?? "";
  assertStringIncludes(last, '"orphans":0,"discrepancies":4');
  await Deno.remove(directory, { recursive: true });
});
