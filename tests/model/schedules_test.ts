import { MemoryGround } from "./memory_ground.ts";
import { runSchedules } from "./run_schedules.ts";

const SCHEDULES = 200;
/** The same each time: what the gate says shall depend on the sources alone. `task test` plays others. */
const SEED = 20_261_121;

Deno.test("any schedule of calls, crashes and faults keeps I1 to I11 and I13 (a few hundred; ten thousand in task test)", async () => {
  const { failure } = await runSchedules({ ground: () => new MemoryGround(), schedules: SCHEDULES, seed: SEED });
  if (failure !== undefined) throw new Error(failure);
});
