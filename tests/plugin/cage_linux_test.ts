/** A cage is no lab: nobody comes and cleans up after it. Needs root. */
import { assertEquals } from "@std/assert";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { until } from "../lab/until.ts";

Deno.test("nothing of a cage outlives a test that is killed", async () => {
  const runner = createSystemRunner();
  const mark = `cage-${crypto.randomUUID()}`;
  const program = new URL("_crashing_cage.ts", import.meta.url).pathname;
  const environment = ["PATH=/usr/bin:/bin", `HOME=${Deno.env.get("HOME") ?? "/root"}`];
  const argv = ["/usr/bin/env", ...environment, Deno.execPath(), "run", "--quiet", "-A", program, mark] as const;
  const { code, stderr } = await runner.run(argv, { timeoutMs: 30_000 });
  assertEquals(code, 128 + 9, stderr);
  await until("the agent has ended", async () => (await runner.run(["/usr/bin/pgrep", "-f", mark])).stdout === "");
});
