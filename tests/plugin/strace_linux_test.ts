/** What the executable really asks of the kernel. Needs root, strace and `deno task build`. */
import { assert, assertEquals } from "@std/assert";
import { AGENT_SOCKET } from "../../src/paths/paths.ts";
import { callsIn, TRACE_FILES, underTmp } from "../lab/file_trace.ts";
import { Cage, ENVIRONMENT, FLOCK } from "./_cage.ts";

const [STRACE] = TRACE_FILES;
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
  const command = [...TRACE_FILES, "/run/trace", FLOCK, ...args] as const;
  await cage.run(command, { stdin: CONFIG, ...(env === undefined ? {} : { env }) });
  return callsIn((await cage.run(["/bin/cat", "/run/trace"])).stdout);
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
  // What the others really do is traced where it is done: agent_trace, install and uninstall.
  name: "no call of the plugin, and no command line that is answered at once, opens or makes anything under /tmp",
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
      assertEquals(underTmp(calls, directoryOf(FLOCK)), []);
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
