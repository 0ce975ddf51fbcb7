import { assert, assertEquals } from "@std/assert";
import type { Report } from "./report.ts";
import { renderReport, takesColour } from "./render_table.ts";

const REPORT: Report = {
  fields: {},
  findings: [{ severity: "wrong", subject: "BIRD", should: "answer", is: "it does not", hint: "look" }],
  sections: [{
    title: "pods",
    columns: [{ title: "pod" }, { title: "mtu", wide: true }, { title: "ready" }, { title: "age" }],
    rows: [["default/web-0", "1500", { text: "yes", tone: "good" }, "5s"], [
      "x/y",
      "9000",
      { text: "no", tone: "bad" },
      "3d",
    ]],
  }],
};
const HEADLINE = { text: "1 wrong", tone: "bad" } as const;

Deno.test("takesColour() only of a terminal, and not where NO_COLOR says anything", () => {
  assertEquals(takesColour({ isTerminal: true }), true);
  assertEquals(takesColour({ isTerminal: true, noColor: "" }), true);
  assertEquals(takesColour({ isTerminal: true, noColor: "0" }), false);
  assertEquals(takesColour({ isTerminal: false }), false);
});

Deno.test("renderReport() aligns columns, shows wide ones when asked, and colours change nothing but colours", () => {
  const plain = renderReport(HEADLINE, REPORT, { colour: false, wide: false });
  assertEquals(
    plain,
    `1 wrong

WRONG BIRD: should answer, but it does not
      -> look

pods
  POD            READY  AGE
  default/web-0  yes    5s
  x/y            no     3d
`,
  );
  const coloured = renderReport(HEADLINE, REPORT, { colour: true, wide: false });
  assert(coloured.includes("\x1b[31mWRONG\x1b[0m") && coloured.includes("\x1b[32myes\x1b[0m    5s"), coloured);
  // deno-lint-ignore no-control-regex -- what colours are made of
  assertEquals(coloured.replaceAll(/\x1b\[\d+m/g, ""), plain);
  const wide = renderReport(HEADLINE, REPORT, { colour: false, wide: true });
  assert(wide.includes("default/web-0  1500  yes    5s"), wide);
});
