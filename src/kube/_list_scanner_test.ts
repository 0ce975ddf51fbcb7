import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ListScanner } from "./_list_scanner.ts";

/** @returns the items and the list without them, when the text comes in chunks of that size */
function scan(text: string, size: number): { items: unknown[]; rest: unknown } {
  const bytes = new TextEncoder().encode(text);
  const items: unknown[] = [];
  const scanner = new ListScanner((item) => items.push(item));
  for (let at = 0; at < bytes.length; at += size) scanner.push(bytes.subarray(at, at + size));
  return { items, rest: scanner.end() };
}

const LISTS: readonly string[] = [
  '{"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[{"a":1},{"a":"}]{["}]}',
  '{ "items" : [ { "a" : "\\"items\\": [" } , {"b":{"items":[{"c":1}]}} ] , "metadata" : {} }\n',
  '{"metadata":{"items":[{"not":"one"}],"quote":"\\\\"},"items":[{"emoji":"\u{1f426}\u00e4"}]}',
  '{"other":[{"not":"one"}],"items":[],"metadata":{}}',
  '{"items":[{"a":[[{"b":[]}]]}],"after":[1,[2]]}',
];

Deno.test("ListScanner gives every item, and the rest, wherever the text is cut", () => {
  for (const text of LISTS) {
    const { items, ...rest } = JSON.parse(text);
    for (let size = 1; size <= text.length; size++) {
      assertEquals(scan(text, size), { items, rest: { ...rest, items: [] } }, `${text} by ${size}`);
    }
  }
});

Deno.test("ListScanner reads what JSON.parse reads", () => {
  const item = fc.dictionary(fc.string(), fc.jsonValue());
  const rest = fc.dictionary(fc.string().filter((key) => key !== "items" && key !== "__proto__"), fc.jsonValue());
  fc.assert(
    fc.property(fc.array(item), rest, fc.nat(1), fc.integer({ min: 1, max: 64 }), (items, rest, indent, size) => {
      const text = JSON.stringify({ ...rest, items }, undefined, indent);
      const { items: parsed, ...others } = JSON.parse(text);
      assertEquals(scan(text, size), { items: parsed, rest: { ...others, items: [] } });
    }),
  );
});

Deno.test("ListScanner leaves what is no list to whoever asked", () => {
  const texts = ['{"items":null,"a":1}', '{"items":"x"}', '{"kind":"Status"}', "[1,[2]]", "null", '"items"'];
  for (const text of texts) assertEquals(scan(text, 2), { items: [], rest: JSON.parse(text) });
});

Deno.test("ListScanner passes over numbers, texts and nulls in a list", () => {
  assertEquals(scan('{"items":[1,"{",null,[{"a":1}],{"b":2}]}', 3).items, [[{ a: 1 }], { b: 2 }]);
});

Deno.test("ListScanner refuses a text that breaks off, and what is no JSON", () => {
  const whole = LISTS[0] ?? "";
  for (const text of [whole.slice(0, -1), whole.slice(0, 60), `${whole}x`, "<html>", "", '{"items":[{a}]}']) {
    assertThrows(() => scan(text, 5), SyntaxError);
  }
});
