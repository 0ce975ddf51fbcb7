/** Plays its share of the schedules; one message in, one out. */
// deno-lint-ignore triple-slash-reference -- the scope of a worker is another one
/// <reference lib="deno.worker" />
import { MemoryGround } from "./memory_ground.ts";
import { type RunOptions, runSchedules } from "./run_schedules.ts";

export type Share = Pick<RunOptions, "schedules" | "seed">;

self.addEventListener("message", (event: MessageEvent<Share>) => {
  runSchedules({ ...event.data, ground: () => new MemoryGround() }).then((verdict) => self.postMessage(verdict));
});
