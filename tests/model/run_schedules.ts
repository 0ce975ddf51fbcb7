import fc from "fast-check";
import type { Model } from "./model.ts";
import type { Rig } from "./rig.ts";
import { anySchedule, type ScheduleOptions } from "./schedules.ts";
import type { Beginning } from "./step.ts";

export interface RunOptions extends ScheduleOptions {
  readonly schedules: number;
  /** Default: another one each time. */
  readonly seed?: number;
  /** Of an earlier report: begins with that very schedule. */
  readonly path?: string;
  /** Whether a schedule that fails is made as short as can be. Default true. */
  readonly shrinks?: boolean;
}

type Details = fc.RunDetails<[Beginning, Iterable<fc.AsyncCommand<Model, Rig>>]>;

/** What became of the schedules. */
export interface Verdict {
  readonly seed: number;
  readonly schedules: number;
  /** The shortest schedule that fails, and how to play it again; undefined when none does. */
  readonly failure: string | undefined;
}

/** Plays so many schedules. */
export async function runSchedules(options: RunOptions): Promise<Verdict> {
  const { schedules, seed = Date.now() % 2 ** 31, path, shrinks = true, ...how } = options;
  const details = await fc.check(anySchedule(how), {
    ...{ numRuns: schedules, seed, endOnFailure: !shrinks },
    ...path !== undefined && { path },
  });
  return { seed, schedules: details.numRuns, failure: details.failed ? describe(details) : undefined };
}

function describe(details: Details): string {
  const [beginning, steps] = details.counterexample ?? [];
  const replay = /replayPath="([^"]*)"/.exec(String(steps))?.[1] ?? "";
  const error = details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance);
  return [
    error,
    `beginning: ${JSON.stringify(beginning)}`,
    ...String(steps).replace(/\s*\/\*.*\*\/$/, "").split(/(?<=\}),(?=\{)/).map((step) => `  ${step},`),
    `again: deno task model --seed ${details.seed} --path ${details.counterexamplePath} --replay-path "${replay}"`,
  ].join("\n");
}
