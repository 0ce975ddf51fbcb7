import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { CommandResult } from "../../src/exec/command_runner.ts";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { removeLab } from "../lab/census.ts";
import { exists } from "../lab/until.ts";

const runner = createSystemRunner();

Deno.test("the demo holds, in under a minute, and leaves nothing", async () => {
  const start = performance.now();
  const { code, stdout } = await runDemo();
  assertEquals(code, 0, stdout);
  assert(performance.now() - start < 60_000);
  assertStringIncludes(stdout, "steps held");
});

Deno.test("the demo with --keep stays, and the commands that it prints work", async () => {
  const { code, stdout } = await runDemo("--keep");
  const dir = /\/run\/flock-lab\/\S+(?=\/in router vtysh)/.exec(stdout)?.[0] ?? "";
  const id = dir.slice(dir.lastIndexOf("/") + 1);
  try {
    assertEquals(code, 0, stdout);
    for (const command of printedCommands(stdout)) {
      const { code, stderr } = await runner.run(["/bin/sh", "-c", command]);
      assertEquals(code, 0, `${command}: ${stderr}`);
    }
  } finally {
    await removeLab(id);
  }
  assertEquals(await exists(dir), false);
});

Deno.test("the demo without an executable fails and says what to do", async () => {
  const { code, stdout } = await runDemo("", ["FLOCK_BIN=/nowhere/flock"]);
  assertEquals(code, 1);
  assertStringIncludes(stdout, "run deno task build");
});

async function runDemo(option = "", more: readonly string[] = []): Promise<CommandResult> {
  const names = ["HOME", "DENO_DIR", "FLOCK_BIN", "KUBEBUILDER_ASSETS"];
  const variables = names.flatMap((name) => Deno.env.has(name) ? [`${name}=${Deno.env.get(name)}`] : []);
  const program = new URL("demo.ts", import.meta.url).pathname;
  const words = [Deno.execPath(), "run", "--quiet", "-A", program, ...(option === "" ? [] : [option])];
  return await runner.run(["/usr/bin/env", ...variables, ...more, ...words], { timeoutMs: 120_000 });
}

/** The indented ones that end by themselves and need neither a terminal nor kubectl. */
function printedCommands(stdout: string): string[] {
  const commands = stdout.split("\n").filter((line) => /^ {4}\/run\/flock-lab\//.test(line)).map((line) => line.trim());
  return commands.filter((command) => !/kubectl|ctr|ping/.test(command));
}
