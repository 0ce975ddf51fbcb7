import { assertEquals } from "@std/assert";
import { wasLost } from "./was_lost.ts";

Deno.test("wasLost() knows a session that ended, also by the beginning of the next", () => {
  const up = { established: true, since: "2026-01-01 10:00:00" };
  const down = { established: false, since: "2026-01-01 10:00:05" };
  const again = { established: true, since: "2026-01-01 10:00:06" };
  assertEquals([wasLost(up, up), wasLost(up, down), wasLost(up, again)], [false, true, true]);
  assertEquals([wasLost(down, up), wasLost(down, again), wasLost(down, down)], [false, false, false]);
});
