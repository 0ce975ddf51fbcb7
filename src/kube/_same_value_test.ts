import { assertEquals } from "@std/assert";
import { isSameValue } from "./_same_value.ts";

const POD = {
  name: "web-0",
  ready: true,
  prefix: { base: 1n },
  annotations: new Map([["ipv6", "true"]]),
  list: [1, {}],
};

Deno.test("isSameValue() goes by what values say, whatever objects they are", () => {
  assertEquals(isSameValue(POD, structuredClone(POD)), true);
});

Deno.test("isSameValue() sees every difference", () => {
  const others = [
    { ...POD, ready: false },
    { ...POD, prefix: { base: 2n } },
    { ...POD, annotations: new Map([["ipv6", "false"]]) },
    { ...POD, annotations: new Map() },
    { ...POD, list: [1] },
    { ...POD, list: [1, { more: undefined }] },
    { ...POD, more: undefined },
    { name: "web-0" },
    undefined,
    "web-0",
  ];
  assertEquals(others.filter((other) => isSameValue(POD, other) || isSameValue(other, POD)), []);
});

Deno.test("isSameValue() takes two errors, whose text is no field, for different ones", () => {
  assertEquals([isSameValue(new Error("a"), new Error("a")), isSameValue({ a: new Date(0) }, { a: new Date(0) })], [
    false,
    false,
  ]);
});
