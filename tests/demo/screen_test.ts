import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createScreen, formatTime } from "./screen.ts";

function screenOf(terminal: boolean): { screen: ReturnType<typeof createScreen>; written: () => string } {
  let text = "";
  const screen = createScreen({ terminal, write: (part) => void (text += part) });
  return { screen, written: () => text };
}

Deno.test("step() returns the result and shows what was found out", async () => {
  const { screen, written } = screenOf(false);
  assertEquals(await screen.step("ask", () => Promise.resolve(42), (n) => `it is ${n}`), 42);
  assertStringIncludes(written(), "it is 42");
  assertEquals(screen.outcomes.map(({ passed }) => passed), [true]);
});

Deno.test("step() passes a failure on, check() counts it and goes on", async () => {
  const { screen, written } = screenOf(false);
  await assertRejects(() => screen.step("fetch", () => Promise.reject(new Error("no way"))), Error, "no way");
  await screen.check("look", () => Promise.reject(new Error("not there")));
  assertEquals(screen.outcomes.map(({ passed, detail }) => `${passed} ${detail}`), ["false no way", "false not there"]);
  assertStringIncludes(written(), "not there");
});

Deno.test("a screen that is no terminal gets neither colours nor carriage returns", async () => {
  const { screen, written } = screenOf(false);
  await screen.check("look", () => Promise.resolve("fine"));
  // deno-lint-ignore no-control-regex -- it is control characters that must not be there
  assertEquals(/[\x1b\r]/.test(written()), false);
});

Deno.test("formatTime() changes to seconds at one second", () => {
  assertEquals([0.4, 999, 1000, 12_345].map(formatTime), ["0 ms", "999 ms", "1.0 s", "12.3 s"]);
});
