import { assertEquals, assertThrows } from "@std/assert";
import { InvalidInput } from "../fault/invalid_input.ts";
import { parseLabelSelector, selectorText, selects } from "./label_selector.ts";

const expression = (operator: string, values?: readonly string[]): unknown => ({
  matchExpressions: [{ key: "app", operator, ...(values && { values }) }],
});
const holds = (raw: unknown, labels: Record<string, string>): boolean =>
  selects(parseLabelSelector("s", raw), new Map(Object.entries(labels)));

Deno.test("selects() asks each operator of what has the label, has another value, and lacks it", () => {
  const asked: [unknown, boolean, boolean, boolean][] = [
    [{ matchLabels: { app: "web" } }, true, false, false],
    [expression("In", ["api", "web"]), true, false, false],
    [expression("NotIn", ["api", "web"]), false, true, true],
    [expression("Exists"), true, true, false],
    [expression("DoesNotExist", []), false, false, true],
    [{}, true, true, true],
    [{ matchLabels: null, matchExpressions: null }, true, true, true],
  ];
  for (const [raw, has, hasOther, lacks] of asked) {
    const found = [{ app: "web" }, { app: "other" }, { tier: "web" }].map((labels) => holds(raw, labels));
    assertEquals(found, [has, hasOther, lacks], JSON.stringify(raw));
  }
});

Deno.test("selects() wants all requirements, and knows an empty value from none", () => {
  const both = { matchLabels: { app: "web" }, ...Object(expression("NotIn", ["api"])) };
  assertEquals(holds(both, { app: "web" }), true);
  assertEquals(holds({ matchLabels: { app: "web", tier: "x" } }, { app: "web" }), false);
  assertEquals([holds({ matchLabels: { app: "" } }, { app: "" }), holds({ matchLabels: { app: "" } }, {})], [
    true,
    false,
  ]);
});

Deno.test("selectorText() is equal for selectors that say the same, and for no others", () => {
  const text = (raw: unknown): string => selectorText(parseLabelSelector("s", raw));
  assertEquals(text({ matchLabels: { b: "2", a: "1" } }), text({ matchLabels: { a: "1", b: "2" } }));
  assertEquals(text({ matchLabels: { app: "x" } }), text(expression("In", ["x", "x"])));
  assertEquals(text(expression("In", ["x", "y"])), text(expression("In", ["y", "x"])));
  const others = [
    ...[{}, { matchLabels: { app: "x" } }, { matchLabels: { app: "x,y" } }, { matchLabels: { "app=x": "y" } }],
    ...[expression("In", ["x", "y"]), expression("NotIn", ["x"]), expression("Exists"), expression("DoesNotExist")],
  ];
  assertEquals(new Set(others.map(text)).size, others.length);
});

Deno.test("parseLabelSelector() refuses what the API has no meaning for", () => {
  const refused: unknown[] = [
    ...[null, 7, "app=web", [], { matchLabels: [] }, { matchLabels: "x" }, { matchLabels: { app: 7 } }, {
      matchFields: {},
    }],
    ...[
      expression("Like", ["x"]),
      expression("in", ["x"]),
      expression("In"),
      expression("In", []),
      expression("toString", ["x"]),
    ],
    ...[expression("NotIn", []), expression("Exists", ["x"]), expression("DoesNotExist", ["x"])],
    ...[{ matchExpressions: {} }, { matchExpressions: [null] }, { matchExpressions: [{ operator: "Exists" }] }],
    { matchExpressions: [{ key: "app", operator: "In", values: [7] }] },
  ];
  for (const raw of refused) assertThrows(() => parseLabelSelector("s", raw), InvalidInput, "s", JSON.stringify(raw));
});
