// deno-lint-ignore-file no-console -- the seed must be known, whatever becomes of the run
import { assertLess } from "@std/assert";
import { MemoryGround } from "./memory_ground.ts";
import { runSchedules } from "./run_schedules.ts";

const SCHEDULES = 10_000;
/** Milliseconds. */
const MINUTE = 60_000;

Deno.test("ten thousand schedules of calls, crashes and faults keep I1 to I11 and I13, within a minute", async () => {
  const started = performance.now();
  const { seed, failure } = await runSchedules({ ground: () => new MemoryGround(), schedules: SCHEDULES });
  console.log(`model: ${SCHEDULES} schedules, seed ${seed}`);
  if (failure !== undefined) throw new Error(failure);
  assertLess(performance.now() - started, MINUTE);
});
