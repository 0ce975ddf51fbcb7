// deno-lint-ignore-file no-console -- the seed must be known, whatever becomes of the run
/** Some schedules on a real kernel; run by real_kernel_linux_test.ts in a namespace of its own. */
import { expectOwnNamespace } from "../lab/in_namespace.ts";
import { RealGround } from "./real_ground.ts";
import { runSchedules } from "./run_schedules.ts";

expectOwnNamespace();

const SCHEDULES = 6;
const STEPS = 12;

Deno.test("schedules of calls, crashes and faults keep the rules on a real kernel, too", async () => {
  const ground = new RealGround();
  await ground.prepare();
  const how = { ground: () => ground, schedules: SCHEDULES, maxSteps: STEPS, shrinks: false };
  const { seed, failure } = await runSchedules({ ...how, begin: () => ground.reboot() });
  console.log(`model: ${SCHEDULES} schedules on the kernel, seed ${seed}`);
  await ground.close();
  if (failure !== undefined) throw new Error(failure);
});
