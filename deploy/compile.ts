import { GRANTED } from "../src/permissions/permission_sets.ts";
import type { Bundles } from "./bundle.ts";
import { renderPermissionFlags } from "./permission_flags.ts";
import { runDeno, runProgram } from "./run_deno.ts";

/** No denort, the runtime part of a compiled file, could be had. */
export class NoDenort extends Error {
  override readonly name = "NoDenort";
}

/**
 * Makes the executable by `deno compile` and tries it.
 *
 * @throws NoDenort when Deno cannot get one; another error when DENORT_BIN names something else, or the result does not work
 */
export async function compile(bundles: Bundles, output: string): Promise<void> {
  const denort = Deno.env.get("DENORT_BIN");
  if (denort !== undefined) await refuseOrdinaryDeno(denort);
  const made = `${output}.new`;
  const { ok, output: text } = await runDeno(compileArguments(bundles, made));
  if (!ok) {
    throw denort === undefined && /denort/.test(text)
      ? new NoDenort(text.trim())
      : new Error(`Cannot compile: ${text.trim()}`);
  }
  try {
    await refuseSilent(made);
    await Deno.rename(made, output);
  } catch (error) {
    await Deno.remove(made);
    throw error;
  }
}

/** Without a code cache: as root, a compiled file writes its cache to a guessable name under /tmp, outside its permissions. */
function compileArguments(bundles: Bundles, output: string): string[] {
  const flags = ["--no-check", "--no-config", "--no-lock", "--no-remote", "--no-npm", "--no-code-cache", "--no-prompt"];
  const permissions = renderPermissionFlags(GRANTED, Deno.version.deno);
  return ["compile", "--quiet", ...flags, ...permissions, "--include", bundles.agent, "--output", output, bundles.main];
}

/** With the command line tool as its denort, `deno compile` succeeds and makes a file that is just the tool. */
async function refuseOrdinaryDeno(denort: string): Promise<void> {
  const { output } = await runProgram(denort, { args: ["--version"] });
  if (/^deno \d/.test(output)) {
    throw new Error(`Cannot compile: DENORT_BIN ${denort} is an ordinary deno, not a denort`);
  }
}

async function refuseSilent(executable: string): Promise<void> {
  const { output } = await runProgram(executable, { args: [], env: { CNI_COMMAND: "VERSION" } });
  if (!output.includes("supportedVersions")) throw new Error(`Cannot use ${executable}: it does not answer VERSION`);
}
