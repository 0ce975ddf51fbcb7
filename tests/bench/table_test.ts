import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Figure } from "./figures.ts";
import { type Paint, renderTable } from "./table.ts";

const ADD: Figure = { id: "add", what: "ADD", value: 30, unit: "ms", floor: 20, target: 29.5, holds: false };
const MEMORY: Figure = { id: "m", what: "memory", value: 99.6, unit: "MiB", floor: null, target: 180, holds: true };
const CALICO: Figure = { id: "c", what: "Calico", value: 270, unit: "ms", floor: null, target: null, holds: null };

const plain: Paint = (text) => text;
const tagged: Paint = (text, colour) => `<${colour}>${text}</${colour}>`;

Deno.test("renderTable() shows value, floor, ratio and target with their units", () => {
  const [, add = "", memory = "", calico = ""] = renderTable([ADD, MEMORY, CALICO], plain);
  assertEquals(add.split(/ {2,}/), ["ADD", "30.00 ms", "20.00 ms", "1.50", "29.50 ms", "DOES NOT HOLD"]);
  assertEquals(memory.split(/ {2,}/), ["memory", "100 MiB", "180 MiB", "holds"]);
  assertEquals(calico.trim().split(/ {2,}/), ["Calico", "270.00 ms"]);
});

Deno.test("renderTable() aligns its columns", () => {
  const ends = renderTable([ADD, { ...ADD, value: 1834.03 }], plain).slice(1).map((line) => line.indexOf("ms"));
  assertEquals(new Set(ends).size, 1);
});

Deno.test("renderTable() paints what does not hold red, and only that", () => {
  const [head = "", add = "", memory = "", calico = ""] = renderTable([ADD, MEMORY, CALICO], tagged);
  assert(add.startsWith("<red>") && add.endsWith("</red>"));
  assertStringIncludes(memory, "<green>holds</green>");
  assert(![head, memory, calico].some((line) => line.includes("red")));
});
