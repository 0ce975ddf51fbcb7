/** The one executable: chooses its mode from CNI_COMMAND first, then from the command line. */
import config from "./deno.json" with { type: "json" };
import { runPlugin } from "./src/cni/run_plugin.ts";
import { installLastResort, systemProcess } from "./src/cni/system_process.ts";
import { giveUpEverything, keepOnly } from "./src/permissions/give_up.ts";
import { PERMISSION_SETS } from "./src/permissions/permission_sets.ts";

/** What src/agent/main.ts exports. */
interface AgentModule {
  runAgent(start: {
    readonly args: readonly string[];
    readonly env: (name: string) => string | undefined;
  }): Promise<number>;
}

const USAGE = `flock ${config.version}, a Kubernetes CNI for nodes that speak BGP

Usage:
  flock agent [--kubeconfig FILE] [--node NAME]   serve this node
  flock version                                   print the version
  flock --help, flock agent --help                print how to use it

With CNI_COMMAND set, flock is a CNI plugin (ADD, DEL, CHECK, GC, STATUS, VERSION).
`;

function main(): Promise<number> {
  const command = Deno.env.get("CNI_COMMAND");
  if (command !== undefined) {
    // VERSION makes no call that could reject unseen, and the listeners would load Deno's events for it alone.
    if (command !== "VERSION") installLastResort(systemProcess);
    return runPlugin(systemProcess);
  }
  const [mode, ...args] = Deno.args;
  if (mode === "agent") return agent(args);
  giveUpEverything();
  return Promise.resolve(answer(mode));
}

/**
 * The specifier is computed, so that no other mode pays for the agent's module graph: Deno loads what it can see from afar, and
 * that made every call of the plugin 600 ms slower. The build puts the agent's bundle in the place of this path.
 */
async function agent(args: readonly string[]): Promise<number> {
  keepOnly(PERMISSION_SETS.agent);
  const specifier = new URL("./src/agent/main.ts", import.meta.url).href;
  const { runAgent }: AgentModule = await import(specifier);
  return await runAgent({ args, env: (name) => Deno.env.get(name) });
}

function answer(mode: string | undefined): number {
  if (mode === "version") return print(Deno.stdout, `flock ${config.version}\n`);
  if (mode === "--help" || mode === "-h") return print(Deno.stdout, USAGE);
  print(Deno.stderr, USAGE);
  return 2;
}

function print(to: { writeSync(bytes: Uint8Array): number }, text: string): number {
  to.writeSync(new TextEncoder().encode(text));
  return 0;
}

main().then(Deno.exit);
