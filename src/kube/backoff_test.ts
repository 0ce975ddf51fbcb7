import { assert, assertEquals } from "@std/assert";
import { createBackoff } from "./backoff.ts";

Deno.test("createBackoff() doubles its ceiling from 0.2 s to 20 s", () => {
  const backoff = createBackoff(() => 1);
  const waits = Array.from({ length: 10 }, () => backoff.next());
  assertEquals(waits, [200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000, 20000]);
});

Deno.test("createBackoff() jitters over the whole range but never waits nothing", () => {
  assertEquals(createBackoff(() => 0).next(), 20);
  assertEquals(createBackoff(() => 0.5).next(), 100);
});

Deno.test("createBackoff() starts again after reset()", () => {
  const backoff = createBackoff(() => 1);
  for (let i = 0; i < 5; i++) backoff.next();
  backoff.reset();
  assert(backoff.next() === 200);
});
