import type { Bundles } from "./bundle.ts";
import { compile, NoDenort, requireAnswer } from "./compile.ts";
import { writeLauncher } from "./launcher.ts";

export interface ExecutableOptions {
  /** Where it goes; what was there before is replaced once the new one works. */
  readonly output: string;
  /** Fail rather than make a launcher. Default false. */
  readonly compileOnly?: boolean;
  /** Tries the new file. Default: it must answer VERSION. @throws when it is no good */
  readonly tryOut?: (executable: string) => Promise<void>;
}

/** Which form it has become; for a launcher, why. */
export type Made = { readonly form: "compiled" } | { readonly form: "launcher"; readonly because: string };

/**
 * Makes an executable of the bundles: by `deno compile`, or without a denort a launcher with the same permissions.
 *
 * @param bundles in a directory of their own, which a launcher makes `lib` beside the output
 * @throws NoDenort with `compileOnly`; another error when the result is no good
 */
export async function makeExecutable(bundles: Bundles, options: ExecutableOptions): Promise<Made> {
  const { output, compileOnly = false, tryOut = requireAnswer } = options;
  try {
    await compile(bundles, { output, tryOut });
    return { form: "compiled" };
  } catch (error) {
    if (compileOnly || !(error instanceof NoDenort)) throw error;
    await writeLauncher(bundles, { output, tryOut });
    return { form: "launcher", because: error.message };
  }
}
