import { assertEquals } from "@std/assert";
import { systemClock } from "../clock/clock.ts";
import { Throttle } from "./throttle.ts";

function openThrottle(): {
  throttle: Throttle;
  acts: () => number;
  stop: AbortController;
  pass(ms: number): Promise<void>;
} {
  let [now, acts] = [0, 0];
  let waiting: { at: number; wake(): void } | undefined;
  const stop = new AbortController();
  const clock = {
    ...systemClock,
    monotonic: () => now,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((wake, reject) => {
        waiting = { at: now + ms, wake };
        signal?.addEventListener("abort", reject, { once: true });
      }),
  };
  const throttle = new Throttle(() => acts++, { delayMs: 100, everyMs: 500, clock, signal: stop.signal });
  const pass = async (ms: number): Promise<void> => {
    now += ms;
    if (waiting !== undefined && waiting.at <= now) waiting.wake();
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  return { throttle, acts: () => acts, stop, pass };
}

Deno.test("Throttle makes one act of a burst, soon, and the next one only after a while", async () => {
  const { throttle, acts, pass } = openThrottle();
  for (let ring = 0; ring < 10; ring++) throttle.ring();
  await pass(99);
  assertEquals(acts(), 0);
  await pass(1);
  assertEquals(acts(), 1);
  throttle.ring();
  await pass(499);
  assertEquals(acts(), 1);
  await pass(1);
  assertEquals(acts(), 2);
  await pass(10_000);
  throttle.ring();
  await pass(100);
  assertEquals(acts(), 3);
});

Deno.test("Throttle does not act after its end", async () => {
  const { throttle, acts, stop, pass } = openThrottle();
  throttle.ring();
  stop.abort();
  await pass(1000);
  assertEquals(acts(), 0);
});
