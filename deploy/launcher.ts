import { GRANTED } from "../src/permissions/permission_sets.ts";
import { type Bundles, bundlesIn, loadedOf } from "./bundle.ts";
import type { FormOptions } from "./compile.ts";
import { renderPermissionFlags } from "./permission_flags.ts";
import { V8_FLAGS } from "./v8_flags.ts";

/**
 * Writes the executable as a shell script that runs the bundles with this very Deno and the permissions of the compiled
 * form. It works from any directory, with an empty environment and in other mount namespaces that show the same files.
 *
 * @param bundles in a directory that becomes `lib` beside the output
 * @param options.output appears as a whole, by a rename, once it was tried; else it and its `lib` stay what they were
 */
export async function writeLauncher(bundles: Bundles, { output, tryOut }: FormOptions): Promise<void> {
  const lib = `${directoryOf(output)}/lib`;
  const staged = directoryOf(bundles.main);
  await Deno.chmod(staged, 0o755);
  const old = `${staged}.old`;
  // Two steps: only a start between them, a few microseconds apart, can miss.
  await Deno.rename(lib, old).catch(ignoreMissing);
  try {
    await Deno.rename(staged, lib);
    await Deno.writeTextFile(`${output}.new`, renderLauncher(lib), { mode: 0o755 });
    await tryOut(`${output}.new`);
    await Deno.rename(`${output}.new`, output);
  } catch (error) {
    await Deno.remove(`${output}.new`).catch(ignoreMissing);
    await Deno.remove(lib, { recursive: true }).catch(ignoreMissing);
    await Deno.rename(old, lib).catch(ignoreMissing);
    throw error;
  }
  await Deno.remove(old, { recursive: true }).catch(ignoreMissing);
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/**
 * DENO_DIR holds what Deno once learned of the bundles' imports; without it each start parses them anew, which takes
 * 0.2 ms a kilobyte. Where it cannot be written, Deno does without. What main loads is readable because a computed
 * import asks for that; in a compiled file it is part of the file.
 */
function renderLauncher(lib: string): string {
  const bundles = bundlesIn(lib);
  const read = [...(Array.isArray(GRANTED.read) ? GRANTED.read : []), ...loadedOf(bundles)];
  const granted = { ...GRANTED, read };
  const flags = [
    "--no-prompt",
    "--no-config",
    "--no-lock",
    "--cached-only",
    "--no-remote",
    "--no-npm",
    "--no-code-cache",
    V8_FLAGS,
  ];
  const words = [Deno.execPath(), "run", ...flags, ...renderPermissionFlags(granted, Deno.version.deno), bundles.main];
  return `#!/bin/sh
# flock, as deno task build makes it where no denort can be had.
unset DENO_V8_FLAGS
export DENO_DIR=${quoteForShell(`${lib}/cache`)} DENO_NO_UPDATE_CHECK=1
exec ${words.map(quoteForShell).join(" ")} "$@"
`;
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function quoteForShell(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
