// deno-lint-ignore-file no-console -- the seeds must be known, whatever becomes of the run
import { assertLess } from "@std/assert";
import { cpuUsage } from "node:process";
import { playShares, THREADS } from "./play_shares.ts";

const SCHEDULES = 10_000;
/** The same each time, so that the verdict depends on the sources alone; `deno task model` plays others. */
const SEED = 1_121;
/** Microseconds, of as many cores as there are threads: what else the machine does is no matter of the model. */
const MINUTE = 60_000_000;

Deno.test("ten thousand schedules of calls, crashes and faults keep I1 to I11 and I13, within a minute", async () => {
  const before = cpuUsage();
  const verdicts = await playShares({ schedules: SCHEDULES, seed: SEED });
  for (const { schedules, seed } of verdicts) console.log(`model: ${schedules} schedules, seed ${seed}`);
  const failures = verdicts.flatMap(({ failure }) => failure ?? []);
  if (failures.length > 0) throw new Error(failures.join("\n\n"));
  const { user, system } = cpuUsage(before);
  assertLess((user + system) / THREADS, MINUTE);
});
