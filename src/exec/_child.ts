import type { Argv } from "./command_runner.ts";

interface ChildOptions extends Pick<Deno.CommandOptions, "stdin" | "stdout" | "stderr"> {
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * No home: `nft -i` writes the lines it was given to `$HOME/.nft.history` when it ends, to `/.nft.history` without
 * HOME.
 */
const CHILD_ENV = { LC_ALL: "C", HOME: "/dev/null" };

/**
 * Starts a process. The one place in flock that does.
 *
 * @throws Error with the system's reason as cause when the process cannot be started
 */
export function spawnChild(argv: Argv, { env, ...stdio }: ChildOptions): Deno.ChildProcess {
  const [path, ...args] = argv;
  try {
    return new Deno.Command(path, { args, clearEnv: true, env: { ...CHILD_ENV, ...env }, ...stdio }).spawn();
  } catch (cause) {
    throw new Error(`Cannot run ${argv.join(" ")}: the process does not start`, { cause });
  }
}

/** Kills a process that may have ended already; its status must still be awaited. */
export function killChild(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended: nothing to kill.
  }
}
