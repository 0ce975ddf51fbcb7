import { assertEquals } from "@std/assert";
import { systemClock } from "../clock/clock.ts";
import { createLogger } from "../log/logger.ts";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
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

/** A loop on a clock of the test's, whose passes throw what the test says. */
function openFailing(): {
  loop: ReconcileLoop;
  clock: HandClock;
  passes: number[];
  logged: string[];
  fail: (error: unknown) => void;
} {
  const clock = new HandClock();
  const [passes, logged]: [number[], string[]] = [[], []];
  const logger = createLogger((line) => void logged.push(JSON.parse(line).error ?? JSON.parse(line).message), {
    ...{ level: "info", now: () => 0 },
  });
  let failure: unknown;
  const pass = (): Promise<void> => {
    passes.push(clock.monotonic() / 1000);
    return failure === undefined ? Promise.resolve() : Promise.reject(failure);
  };
  const loop = new ReconcileLoop(pass, { name: "test", retryMs: 2_000, clock, logger });
  return { loop, clock, passes, logged, fail: (error) => (failure = error) };
}

Deno.test("ReconcileLoop tries what fails for good ever less often, up to once a minute, and logs it once", async () => {
  const { loop, clock, passes, logged, fail } = openFailing();
  fail(new Error("no"));
  loop.ring("start");
  await clock.pass(250_000);
  assertEquals(passes, [0, 2, 6, 14, 30, 62, 122, 182, 242]);
  assertEquals(logged, ["Error: no"]);
  fail(undefined);
  await clock.pass(60_000);
  fail(new Error("no"));
  loop.ring("again");
  await clock.pass(2_000);
  assertEquals(passes.slice(-3), [302, 310, 312]);
  assertEquals(logged, ["Error: no", "reconciled again", "Error: no"]);
  await loop.stop();
});

Deno.test("ReconcileLoop tries another failure soon, and logs it, though others go on beside it", async () => {
  const { loop, clock, passes, logged, fail } = openFailing();
  fail(new Error("a"));
  loop.ring("start");
  await clock.pass(10_000);
  fail(new AggregateError([new Error("a"), new Error("b")], "a and b"));
  loop.ring("b");
  await clock.pass(3_000);
  fail(new Error("b"));
  await clock.pass(4_000);
  assertEquals(passes, [0, 2, 6, 10, 12, 16]);
  assertEquals(logged, ["Error: a", "AggregateError: a and b"]);
  await loop.stop();
});

Deno.test("ReconcileLoop waits for one retry at a time, however often it fails before", async () => {
  const { loop, clock, passes, fail } = openFailing();
  fail(new Error("no"));
  for (let second = 0; second < 5; second++) {
    loop.ring("watch");
    await clock.pass(1_000);
  }
  assertEquals(passes, [0, 1, 2, 2, 3, 4]);
  await loop.stop();
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

Deno.test("ReconcileLoop.state tells since when a pass runs, and whether something failed and was not made good", async () => {
  const { loop, clock, fail } = openFailing();
  const shown = (): unknown[] => [loop.state.busyMs, loop.state.failing, loop.state.passes, loop.state.failures];
  assertEquals(shown(), [0, false, 0, 0]);
  fail(new Error("no"));
  loop.ring("start");
  await clock.pass(1_000);
  assertEquals(shown(), [0, true, 1, 1]);
  fail(undefined);
  await clock.pass(2_000);
  assertEquals(shown(), [0, false, 2, 1]);
  await loop.stop();
  const stuck = Promise.withResolvers<void>();
  const options = { name: "stuck", retryMs: 1, clock, logger: createLogger(() => {}, { level: "info", now: () => 0 }) };
  const other = new ReconcileLoop(() => stuck.promise, options);
  other.ring("start");
  await clock.pass(7_000);
  assertEquals(other.state.busyMs, 7_000);
  stuck.resolve();
  await other.stop();
  assertEquals(other.state.busyMs, 0);
});
