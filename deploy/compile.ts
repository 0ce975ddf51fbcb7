import { GRANTED } from "../src/permissions/permission_sets.ts";
import { type Bundles, loadedOf } from "./bundle.ts";
import { renderPermissionFlags } from "./permission_flags.ts";
import { runDeno, runProgram } from "./run_deno.ts";
import { V8_FLAGS } from "./v8_flags.ts";

/** No denort, the runtime part of a compiled file, could be had. */
export class NoDenort extends Error {
  override readonly name = "NoDenort";
}

/** Where a form of the executable goes, and what is asked of it before it may. */
export interface FormOptions {
  readonly output: string;
  /** @throws when the file is no good */
  readonly tryOut: (executable: string) => Promise<void>;
}

/**
 * Makes the executable by `deno compile` and tries it.
 *
 * @throws NoDenort when Deno cannot get one; another error when the result does not work
 */
export async function compile(bundles: Bundles, { output, tryOut }: FormOptions): Promise<void> {
  const made = `${output}.new`;
  const { ok, output: text } = await runDeno(compileArguments(bundles, made));
  if (!ok) throw hasNoDenort(text) ? new NoDenort(text.trim()) : new Error(`Cannot compile: ${text.trim()}`);
  try {
    await tryOut(made);
    await Deno.rename(made, output);
  } catch (error) {
    await Deno.remove(made);
    throw error;
  }
}

/**
 * Without a code cache: as root, a compiled file writes its cache to a guessable name under /tmp, outside its
 * permissions.
 */
function compileArguments(bundles: Bundles, output: string): string[] {
  const flags = [
    "--no-check",
    "--no-config",
    "--no-lock",
    "--no-remote",
    "--no-npm",
    "--no-code-cache",
    "--no-prompt",
    V8_FLAGS,
  ];
  const permissions = renderPermissionFlags(GRANTED, Deno.version.deno);
  const included = loadedOf(bundles).flatMap((file) => ["--include", file]);
  return ["compile", "--quiet", ...flags, ...permissions, ...included, "--output", output, bundles.main];
}

function hasNoDenort(output: string): boolean {
  return Deno.env.get("DENORT_BIN") === undefined && output.includes("denort");
}

/**
 * With the command line tool as its denort, `deno compile` succeeds and makes a file that is just the tool.
 *
 * @throws when DENORT_BIN names one
 */
export async function refuseOrdinaryDeno(): Promise<void> {
  const denort = Deno.env.get("DENORT_BIN");
  if (denort === undefined) return;
  const { output } = await runProgram(denort, { args: ["--version"] });
  if (/^deno \d/.test(output)) {
    throw new Error(`Cannot compile: DENORT_BIN "${denort}" is an ordinary deno, not a denort`);
  }
}

/** Whatever was made is worth nothing until it answers. @throws when it does not */
export async function requireAnswer(executable: string): Promise<void> {
  const { output } = await runProgram(executable, { args: [], env: { CNI_COMMAND: "VERSION" } });
  if (!output.includes("supportedVersions")) throw new Error(`Cannot use ${executable}: it does not answer VERSION`);
}
