/** The one executable: chooses its mode from CNI_COMMAND first, then from the command line. */
import config from "./deno.json" with { type: "json" };
import { answerVersion } from "./src/cni/answer_version.ts";
import { runPlugin, type WithoutAgent } from "./src/cni/run_plugin.ts";
import { peekStdin, print } from "./src/cni/stdio.ts";
import { installLastResort, systemProcess } from "./src/cni/system_process.ts";
import { giveUpEverything, giveUpKind, keepOnly } from "./src/permissions/give_up.ts";
import { PERMISSION_SETS } from "./src/permissions/permission_sets.ts";

/** What src/agent/main.ts exports. */
interface AgentModule {
  runAgent(start: {
    readonly args: readonly string[];
    readonly env: (name: string) => string | undefined;
  }): Promise<number>;
}

/** What src/install/main.ts exports. */
interface InstallModule {
  run(
    mode: "install" | "uninstall",
    start: { readonly args: readonly string[]; giveUpNetwork(): void },
  ): Promise<number>;
}

/** What src/inspect/main.ts exports. */
interface InspectModule {
  inspect(start: {
    readonly args: readonly string[];
    readonly env: (name: string) => string | undefined;
  }): Promise<number>;
}

const USAGE = `flock ${config.version}, a Kubernetes CNI for nodes that speak BGP

Usage:
  flock agent [--kubeconfig FILE] [--node NAME]   serve this node
  flock install                                   place the CNI plugin on this node
  flock uninstall [--force] [--keep-bgp-routes]   leave nothing of flock on this node
  flock inspect [COMMAND]                         say what this node should be, and what it is
  flock version                                   print the version
  flock --help, flock MODE --help                 print how to use it

With CNI_COMMAND set, flock is a CNI plugin (ADD, DEL, CHECK, GC, STATUS, VERSION).
`;

function main(): Promise<number> {
  const command = Deno.env.get("CNI_COMMAND");
  if (command === "VERSION") return answerVersion({ giveUpEverything, peekStdin, print });
  if (command !== undefined) return plugin();
  const [mode, ...args] = Deno.args;
  if (mode === "agent") return agent(args);
  if (mode === "install" || mode === "uninstall") return installer(mode, args);
  if (mode === "inspect") return inspector(args);
  giveUpEverything();
  return Promise.resolve(answer(mode));
}

function plugin(): Promise<number> {
  installLastResort(systemProcess);
  return runPlugin(systemProcess, { loadWithoutAgent });
}

/**
 * The specifiers are computed, so that nobody pays for a module graph that he does not need: Deno loads what it can see
 * from afar, and the agent's made every call of the plugin 600 ms slower. The build puts bundles in the place of these
 * paths.
 */
async function loadWithoutAgent(): Promise<WithoutAgent> {
  const specifier = new URL("./src/cni/without_agent.ts", import.meta.url).href;
  return await import(specifier);
}

async function agent(args: readonly string[]): Promise<number> {
  keepOnly(PERMISSION_SETS.agent);
  const specifier = new URL("./src/agent/main.ts", import.meta.url).href;
  const { runAgent }: AgentModule = await import(specifier);
  return await runAgent({ args, env: (name) => Deno.env.get(name) });
}

async function installer(mode: "install" | "uninstall", args: readonly string[]): Promise<number> {
  keepOnly(PERMISSION_SETS[mode]);
  const specifier = new URL("./src/install/main.ts", import.meta.url).href;
  const { run }: InstallModule = await import(specifier);
  return await run(mode, { args, giveUpNetwork: () => giveUpKind("net") });
}

async function inspector(args: readonly string[]): Promise<number> {
  keepOnly(PERMISSION_SETS.inspect);
  const specifier = new URL("./src/inspect/main.ts", import.meta.url).href;
  const { inspect }: InspectModule = await import(specifier);
  return await inspect({ args, env: (name) => Deno.env.get(name) });
}

function answer(mode: string | undefined): number {
  if (mode === "version") return write(Deno.stdout, `flock ${config.version}\n`);
  if (mode === "--help" || mode === "-h") return write(Deno.stdout, USAGE);
  write(Deno.stderr, USAGE);
  return 2;
}

function write(to: { writeSync(bytes: Uint8Array): number }, text: string): number {
  to.writeSync(new TextEncoder().encode(text));
  return 0;
}

main().then(Deno.exit);
