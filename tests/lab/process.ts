/**
 * The lab's long-running processes. The only file of the tests that uses `Deno.Command` (one-shots go through
 * src/exec).
 */

import { until } from "./until.ts";

/** How a process ended. */
export interface DaemonEnd {
  readonly code: number;
  /** Present when a signal ended it. */
  readonly signal?: Deno.Signal;
}

/** A long-running process inside a place. */
export interface Daemon {
  readonly name: string;
  /** As the machine counts, not the place's own pid namespace. */
  readonly pid: number;
  /** Standard output and standard error, appended; readable from outside the place. */
  readonly logPath: string;
  /** Resolves when the process has ended, for whatever reason. */
  readonly ended: Promise<DaemonEnd>;
  readonly running: boolean;
  /** @returns all that it has written so far */
  readLog(): Promise<string>;
  /**
   * Sends a signal; does nothing when the process has ended. One that was stopped can be ended only after SIGCONT, or
   * by SIGKILL.
   */
  signal(signal: Deno.Signal): void;
  /** SIGSTOP, and waits until each of its threads stands still: on a busy machine they run on for a while. */
  freeze(): Promise<void>;
  /** Signals (default SIGTERM), waits, and kills what is still there after `graceMs` (default 5000). Idempotent. */
  stop(signal?: Deno.Signal, graceMs?: number): Promise<DaemonEnd>;
}

export interface SpawnOptions {
  readonly name: string;
  readonly logPath: string;
}

/**
 * Starts a command that enters a pid namespace by `nsenter`, in a session of its own, so that a Ctrl-C at the terminal
 * reaches only the lab's owner.
 */
export async function spawnDaemon(argv: readonly string[], options: SpawnOptions): Promise<Daemon> {
  const child = new Deno.Command("/usr/bin/setsid", {
    args: [...argv],
    stdin: "null",
    stdout: "null",
    stderr: "null",
    clearEnv: true,
    env: { LC_ALL: "C" },
  }).spawn();
  const state = { running: true };
  const ended = child.status.then(({ code, signal }): DaemonEnd => {
    state.running = false;
    return signal === null ? { code } : { code, signal };
  });
  const pid = await entrantOf(child.pid, () => state.running);
  return daemonOf({ pid, nsenterPid: child.pid, ended, state, ...options });
}

function daemonOf(
  parts: SpawnOptions & {
    pid: number;
    nsenterPid: number;
    ended: Promise<DaemonEnd>;
    state: { readonly running: boolean };
  },
): Daemon {
  const { name, logPath, pid, nsenterPid, ended, state } = parts;
  // nsenter stops itself when its child is stopped, and would never see the child's end nor let its pid namespace go.
  const signal = (signal: Deno.Signal): void => {
    if (!state.running) return;
    kill(pid, signal);
    if (signal !== "SIGSTOP") kill(nsenterPid, "SIGCONT");
  };
  return {
    name,
    pid,
    logPath,
    ended,
    get running(): boolean {
      return state.running;
    },
    readLog: () => Deno.readTextFile(logPath),
    signal,
    freeze: async () => {
      signal("SIGSTOP");
      await until(`${name} stands still`, async () => !state.running || await isStopped(pid), { everyMs: 2 });
    },
    stop: async (first = "SIGTERM", graceMs = 5000) => {
      signal(first);
      const timer = setTimeout(() => signal("SIGKILL"), graceMs);
      return await ended.finally(() => clearTimeout(timer));
    },
  };
}

/** proc_pid_stat(5): the third field of each thread, after a name in parentheses that may hold anything. */
async function isStopped(pid: number): Promise<boolean> {
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    const stat = await Deno.readTextFile(`/proc/${pid}/task/${name}/stat`);
    if (stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "T") return false;
  }
  return true;
}

function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** `nsenter --pid` forks: the process we mean is its child, and has the same pid from then on, whatever it executes. */
async function entrantOf(nsenterPid: number, alive: () => boolean): Promise<number> {
  for (let attempt = 0; attempt < 500 && alive(); attempt++) {
    const children = await Deno.readTextFile(`/proc/${nsenterPid}/task/${nsenterPid}/children`).catch(() => "");
    const child = Number(children.trim().split(" ")[0]);
    if (child > 0) return child;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return nsenterPid;
}

/** A place's first process, the init of its pid namespace: when it dies, the kernel kills all others. */
export interface Holder {
  /** As the machine counts. */
  readonly pid: number;
  /** Kills it. Resolves when it, and with it every process of its pid namespace, is gone. Idempotent. */
  end(): Promise<void>;
}

/**
 * Starts the process that holds a place's namespaces open; it writes `ready PID` to standard output when they are set
 * up.
 */
export async function spawnHolder(argv: readonly string[]): Promise<Holder> {
  const child = new Deno.Command("/usr/bin/setsid", {
    args: [...argv],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    clearEnv: true,
    env: { LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
  }).spawn();
  const state = { running: true };
  const ended = child.status.then(() => void (state.running = false));
  const said = await readUntil(child.stdout, /^ready (\d+)$/m);
  const pid = Number(/^ready (\d+)$/m.exec(said)?.[1]);
  const end = async (): Promise<void> => {
    if (state.running) kill(pid, "SIGKILL");
    await ended;
  };
  if (pid > 0) return { pid, end };
  await ended;
  throw new Error(`Cannot set up namespaces: ${said.trim()}`);
}

async function readUntil(stream: ReadableStream<Uint8Array>, pattern: RegExp): Promise<string> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!pattern.test(text)) {
    const { done, value } = await reader.read();
    if (done) break;
    text += value;
  }
  await reader.cancel();
  return text;
}
