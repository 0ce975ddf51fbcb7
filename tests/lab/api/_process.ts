/** The one place of the lab's API servers that starts processes. */

/** Runs a program to its end. @returns its standard output. @throws when it fails, with what it wrote */
export async function run(argv: readonly string[]): Promise<string> {
  const [program = "", ...args] = argv;
  const output = await new Deno.Command(program, { args, stdin: "null" }).output();
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  if (!output.success) throw new Error(`Cannot run ${argv.join(" ")}: ${decode(output.stderr).trim()}`);
  return decode(output.stdout);
}

/** A process of the lab's own. */
export interface Daemon {
  readonly pid: number;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  readonly running: boolean;
  signal(signal: Deno.Signal): void;
  /** Ends it: SIGTERM, after 10 s SIGKILL. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts a process that stays; both its outputs go to `log`. The prefix (`ip netns exec NAME`) replaces itself by the program, so
 * that the process id is the program's.
 */
export function startDaemon(argv: readonly string[], options: { log: string; cwd?: string }): Daemon {
  const script = 'log=$1; shift; exec "$@" >"$log" 2>&1';
  const args = ["-c", script, "sh", options.log, ...argv];
  const command = new Deno.Command("/bin/sh", {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "null",
    ...cwdOf(options),
  });
  const child = command.spawn();
  let running = true;
  const ended = child.status.then(() => {
    running = false;
  });
  const signal = (name: Deno.Signal): void => {
    if (running) child.kill(name);
  };
  const stop = async (): Promise<void> => {
    signal("SIGTERM");
    signal("SIGCONT");
    const killer = setTimeout(() => signal("SIGKILL"), 10_000);
    await ended;
    clearTimeout(killer);
  };
  return {
    pid: child.pid,
    ended,
    get running(): boolean {
      return running;
    },
    signal,
    stop,
  };
}

/** Asks every 50 ms until the answer is true. @throws after `timeoutMs`, naming `what` */
export async function waitUntil(
  what: string,
  ask: () => Promise<boolean> | boolean,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`Cannot wait for ${what}: not so after ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function cwdOf(options: { cwd?: string }): { cwd?: string } {
  return options.cwd === undefined ? {} : { cwd: options.cwd };
}
