/** What a finished process left. */
export interface Finished {
  readonly ok: boolean;
  /** Standard output and standard error, in this order. */
  readonly output: string;
}

/** Runs the Deno that runs this script, in its environment. */
export function runDeno(args: readonly string[]): Promise<Finished> {
  return runProgram(Deno.execPath(), { args, env: { ...Deno.env.toObject(), NO_COLOR: "1" } });
}

/** Runs a program to its end; `env` replaces the environment. */
export async function runProgram(
  program: string,
  { args, env }: { args: readonly string[]; env?: Record<string, string> },
): Promise<Finished> {
  const environment = env === undefined ? {} : { env, clearEnv: true };
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    ...environment,
  }).output();
  const decoder = new TextDecoder();
  return { ok: success, output: decoder.decode(stdout) + decoder.decode(stderr) };
}
