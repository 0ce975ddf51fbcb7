// deno-lint-ignore-file no-console -- the seeds must be known, whatever becomes of the run
import { assertLess } from "@std/assert";
import { playShares } from "./play_shares.ts";

const SCHEDULES = 10_000;
/** The same each time, so that the verdict depends on the sources alone; `deno task model` plays others. */
const SEED = 1_121;
/** Milliseconds. */
const MINUTE = 60_000;

Deno.test("ten thousand schedules of calls, crashes and faults keep I1 to I11 and I13, within a minute", async () => {
  const started = performance.now();
  const verdicts = await playShares({ schedules: SCHEDULES, seed: SEED });
  for (const { schedules, seed } of verdicts) console.log(`model: ${schedules} schedules, seed ${seed}`);
  const failures = verdicts.flatMap(({ failure }) => failure ?? []);
  if (failures.length > 0) throw new Error(failures.join("\n\n"));
  assertLess(performance.now() - started, MINUTE);
});
