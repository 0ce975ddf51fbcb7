import { assertEquals, assertThrows } from "@std/assert";
import { median, quantile, SampleBook, shuffled } from "./statistics.ts";

Deno.test("median() is the middle of the sorted samples, and between the two middle ones", () => {
  assertEquals(median([10, 9, 100]), 10);
  assertEquals(median([100, 2, 9, 10]), 9.5);
  assertEquals(median([7]), 7);
});

Deno.test("median() leaves the samples as they are, and refuses none", () => {
  const samples = [3, 1, 2];
  median(samples);
  assertEquals(samples, [3, 1, 2]);
  assertThrows(() => median([]), Error, "there are no samples");
});

Deno.test("quantile() is a sample that so many do not exceed", () => {
  const samples = Array.from({ length: 200 }, (_, n) => 200 - n);
  assertEquals([0, 0.5, 0.99, 1].map((share) => quantile(samples, share)), [1, 100, 198, 200]);
  assertThrows(() => quantile([], 1), Error, "there are no samples");
});

Deno.test("SampleBook keeps samples apart by name, and says what was never measured", () => {
  const book = new SampleBook();
  for (const sample of [1, 5, 3]) book.add("a", sample);
  book.add("b", 8);
  assertEquals([book.p50("a"), book.p50("b"), book.quantile("a", 1)], [3, 8, 5]);
  assertThrows(() => book.p50("c"), Error, "Cannot tell c: it was not measured");
});

Deno.test("shuffled() has every item once, in the order that the random source decides", () => {
  const places = [0.7, 0.1, 0.9, 0.3];
  assertEquals(shuffled(["a", "b", "c", "d"], () => places.shift() ?? 1), ["b", "d", "a", "c"]);
  const items = Array.from({ length: 100 }, (_, n) => n);
  assertEquals(shuffled(items, Math.random).toSorted((a, b) => a - b), items);
});
