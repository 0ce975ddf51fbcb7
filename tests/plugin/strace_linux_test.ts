/** What the executable really asks of the kernel. Needs root, strace and `deno task build`. */
import { assert, assertEquals } from "@std/assert";
import { AGENT_SOCKET } from "../../src/paths/paths.ts";
import { Cage, ENVIRONMENT, FLOCK } from "./_cage.ts";

const STRACE = "/usr/bin/strace";
const OK = '{"ok":true,"result":{"cniVersion":"1.1.0"}}';
const CONFIG = JSON.stringify({ cniVersion: "1.1.0", name: "flock", type: "flock" });
const ignore = !exists(STRACE);
if (ignore) {
  Deno.stderr.writeSync(new TextEncoder().encode(`SKIPPED, no ${STRACE}: tests/plugin/strace_linux_test.ts\n`));
}

/** @returns the system calls of one run, one per line, of all its threads */
async function trace(
  args: readonly string[],
  { env, agent }: { env?: Record<string, string>; agent?: string },
): Promise<string[]> {
  await using cage = await Cage.open();
  if (agent !== undefined) await cage.startAgent(agent);
  const calls =
    "--trace=open,openat,openat2,creat,connect,execve,execveat,unlink,unlinkat,rename,renameat2,mkdir,mkdirat,bind";
  const command = [STRACE, "-f", "-qq", calls, "-o", "/run/trace", FLOCK, ...args] as const;
  await cage.run(command, { stdin: CONFIG, ...(env === undefined ? {} : { env }) });
  return (await cage.run(["/bin/cat", "/run/trace"])).stdout.split("\n").map((line) => line.replace(/^\d+\s+/, ""))
    .filter(Boolean);
}

function callsOf(command: string): Record<string, string> {
  return { CNI_COMMAND: command, ...ENVIRONMENT };
}

function afterConnecting(calls: readonly string[]): readonly string[] {
  const at = calls.findIndex((call) => call.startsWith("connect(") && call.includes(AGENT_SOCKET));
  assert(at >= 0, `no connection to ${AGENT_SOCKET}`);
  return calls.slice(at + 1);
}

const isWrite = (call: string): boolean => /O_WRONLY|O_RDWR|O_CREAT|^(creat|unlink|rename|mkdir)/.test(call);
const isElsewhere = (call: string): boolean => /^(exec|connect|bind)/.test(call);

Deno.test({
  name: "after connecting the plugin opens no file for writing, executes nothing and connects nowhere",
  ignore,
  fn: async () => {
    for (const verb of ["ADD", "CHECK", "GC", "STATUS", "DEL"]) {
      const rest = afterConnecting(await trace([], { env: callsOf(verb), agent: OK }));
      assertEquals(rest.filter((call) => isWrite(call) || isElsewhere(call)), [], verb);
    }
  },
});

Deno.test({
  name: "a DEL without an agent writes into the tombstone directory only",
  ignore,
  fn: async () => {
    const rest = afterConnecting(await trace([], { env: callsOf("DEL") }));
    assert(rest.some(isWrite));
    assertEquals(
      rest.filter((call) => isElsewhere(call) || (isWrite(call) && !call.includes('"/run/flock/deleted'))),
      [],
    );
  },
});

Deno.test({
  name: "no mode opens, makes or removes anything under /tmp",
  ignore,
  fn: async () => {
    const runs = [
      ...["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION", "FOO"].map((verb) =>
        trace([], { env: callsOf(verb), agent: OK })
      ),
      ...[["version"], ["--help"], ["bogus"], ["agent", "--bogus"]].map((args) => trace(args, {})),
    ];
    for (const calls of await Promise.all(runs)) {
      assert(calls.length > 0);
      const own = calls.filter((call) => !call.includes(directoryOf(FLOCK)));
      assertEquals(own.filter((call) => /"\/(var\/)?tmp(\/|")/.test(call)), []);
    }
  },
});

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
