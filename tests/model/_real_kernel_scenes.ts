/** Some schedules on a real kernel; run by real_kernel_linux_test.ts in a namespace of its own. */
import { expectOwnNamespace } from "../lab/in_namespace.ts";
import { RealGround } from "./real_ground.ts";
import { runSchedules } from "./run_schedules.ts";

expectOwnNamespace();

const SCHEDULES = 6;
const STEPS = 12;
/** The same each time: what a test says shall depend on the sources alone. */
const SEED = 1_121;

Deno.test("schedules of calls, crashes and faults keep the rules on a real kernel, too", async () => {
  const ground = new RealGround();
  await ground.prepare();
  const how = { ground: () => ground, schedules: SCHEDULES, maxSteps: STEPS, seed: SEED, shrinks: false };
  const { failure } = await runSchedules({ ...how, begin: () => ground.reboot() });
  await ground.close();
  if (failure !== undefined) throw new Error(failure);
});
