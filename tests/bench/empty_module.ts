/** The floor of every plugin: a module without a word in it, made into an executable as flock is. */
import { bundlesIn } from "../../deploy/bundle.ts";
import { makeExecutable } from "../../deploy/make_executable.ts";
import { runProgram } from "../../deploy/run_deno.ts";

/** @param directory exists, and gets the executable and what it needs. @returns the executable's path */
export async function buildEmptyModule(directory: string): Promise<string> {
  const staging = `${directory}/staged`;
  const output = `${directory}/empty`;
  await Deno.mkdir(staging);
  const bundles = bundlesIn(staging);
  for (const file of Object.values(bundles)) await Deno.writeTextFile(file, "");
  await makeExecutable(bundles, { output, tryOut: expectSilence });
  return output;
}

async function expectSilence(executable: string): Promise<void> {
  const { ok, output } = await runProgram(executable, { args: [] });
  if (!ok || output !== "") throw new Error(`Cannot use ${executable}: an empty module says ${JSON.stringify(output)}`);
}
