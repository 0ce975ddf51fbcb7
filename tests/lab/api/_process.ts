/** How the lab's API servers come to run: inside a place of the lab, or on the machine itself. */
import { type CommandRunner, expectSuccess } from "../../../src/exec/command_runner.ts";
import { createSystemRunner } from "../../../src/exec/system_runner.ts";
import { type Daemon, spawnDaemon } from "../process.ts";

/** Starts a long-running process; a place's `spawn` is one. */
export type Spawn = (name: string, argv: readonly string[]) => Promise<Daemon>;

/**
 * $0: log, $1: owner. The program is a child, whose pid the daemon finds and signals. A server whose owner was killed would stay
 * for ever, and the kernel's parent-death signal looks at threads, of which a Deno process has many: so the shell looks.
 */
const TETHER_SCRIPT = `
owner=$1; shift
"$@" >>"$0" 2>&1 &
child=$!
(while kill -0 "$owner" && kill -0 "$child"; do sleep 1; done; kill -KILL "$child") 2>/dev/null &
wait "$child"
`;

const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** @returns a way to start processes on the machine, their logs in `dir`; they end when this process does */
export function spawnOnMachine(dir: string): Spawn {
  return async (name, argv) => {
    const logPath = `${dir}/${name}.log`;
    const tethered = ["/bin/sh", "-c", TETHER_SCRIPT, logPath, `${Deno.pid}`, ...argv];
    return await spawnDaemon(["/usr/bin/env", PATH, ...tethered], { name, logPath });
  };
}

const runner: CommandRunner = createSystemRunner();

/** Runs a program to its end. @returns its standard output. @throws CommandFailed */
export async function run(file: string, args: readonly string[]): Promise<string> {
  return expectSuccess([file, ...args], await runner.run([file, ...args])).stdout;
}
