import { assertEquals } from "@std/assert";
import { compare, duplicates } from "./compare.ts";

Deno.test("compare() names what is missing, too much, or there more than once", () => {
  assertEquals(compare("x", ["a", "b"], ["b", "a"]), []);
  assertEquals(compare("x", ["b", "b", "c"], ["a", "b"]), [
    "x: a is missing",
    "x: b is there 2 times",
    "x: c is too much",
  ]);
});

Deno.test("compare() lets be there what is allowed, but once only", () => {
  assertEquals(compare("x", ["a"], [], new Set(["a"])), []);
  assertEquals(compare("x", ["a", "a"], [], new Set(["a"])), ["x: a is there 2 times"]);
});

Deno.test("duplicates() names each once", () => {
  assertEquals(duplicates(["a", "b", "a", "a"]), ["a is given twice"]);
});
