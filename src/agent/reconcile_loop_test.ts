import { assertEquals } from "@std/assert";
import { systemClock } from "../clock/clock.ts";
import { createLogger } from "../log/logger.ts";
import { ReconcileLoop } from "./reconcile_loop.ts";

const logger = createLogger(() => {}, { level: "error", now: () => 0 });

function loopOf(pass: (ticks: readonly string[]) => Promise<void>): ReconcileLoop {
  return new ReconcileLoop(pass, { name: "test", retryMs: 1, clock: systemClock, logger });
}

Deno.test("ReconcileLoop coalesces the ticks that arrive during a pass into one more pass", async () => {
  const passes: (readonly string[])[] = [];
  let release = (): void => {};
  const loop = loopOf(async (ticks) => {
    passes.push(ticks);
    if (passes.length === 1) await new Promise<void>((resolve) => (release = resolve));
  });
  loop.ring("start");
  await systemClock.sleep(1);
  for (const tick of ["watch", "timer", "watch"]) loop.ring(tick);
  release();
  await loop.settled();
  assertEquals(passes, [["start"], ["watch", "timer"]]);
});

Deno.test("ReconcileLoop tries a failed pass again", async () => {
  let passes = 0;
  const loop = loopOf(() => {
    passes++;
    return passes === 1 ? Promise.reject(new Error("no")) : Promise.resolve();
  });
  loop.ring("start");
  await loop.settled();
  await systemClock.sleep(20);
  await loop.settled();
  assertEquals(passes, 2);
});

Deno.test("ReconcileLoop starts nothing after stop()", async () => {
  let passes = 0;
  const loop = loopOf(() => Promise.resolve(void passes++));
  await loop.stop();
  loop.ring("late");
  await loop.settled();
  assertEquals(passes, 0);
});

Deno.test("ReconcileLoop outlives a logger that throws, and tries again", async () => {
  let passes = 0;
  const throwing = createLogger(() => {
    throw new Error("Broken pipe");
  }, { level: "error", now: () => 0 });
  const pass = (): Promise<void> => ++passes === 1 ? Promise.reject(new Error("no")) : Promise.resolve();
  const loop = new ReconcileLoop(pass, { name: "test", retryMs: 1, clock: systemClock, logger: throwing });
  loop.ring("start");
  await loop.settled();
  await systemClock.sleep(20);
  await loop.settled();
  assertEquals(passes, 2);
});
