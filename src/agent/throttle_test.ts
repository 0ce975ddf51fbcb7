import { assertEquals } from "@std/assert";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import { Throttle } from "./throttle.ts";

function openThrottle(): { throttle: Throttle; acts: () => number; stop: AbortController; clock: HandClock } {
  let acts = 0;
  const [stop, clock] = [new AbortController(), new HandClock()];
  const throttle = new Throttle(() => acts++, { delayMs: 100, everyMs: 500, clock, signal: stop.signal });
  return { throttle, acts: () => acts, stop, clock };
}

Deno.test("Throttle makes one act of a burst, soon, and the next one only after a while", async () => {
  const { throttle, acts, clock } = openThrottle();
  for (let ring = 0; ring < 10; ring++) throttle.ring();
  await clock.pass(99);
  assertEquals(acts(), 0);
  await clock.pass(1);
  assertEquals(acts(), 1);
  throttle.ring();
  await clock.pass(499);
  assertEquals(acts(), 1);
  await clock.pass(1);
  assertEquals(acts(), 2);
  await clock.pass(10_000);
  throttle.ring();
  await clock.pass(100);
  assertEquals(acts(), 3);
});

Deno.test("Throttle does not act after its end", async () => {
  const { throttle, acts, stop, clock } = openThrottle();
  throttle.ring();
  stop.abort();
  await clock.pass(1000);
  assertEquals(acts(), 0);
});
