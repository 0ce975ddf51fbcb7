// deno-lint-ignore-file no-console -- modes that print: their usage, what they did, and why they could not
/** The modes `flock install` and `flock uninstall`. */
import { parseArgs } from "node:util";
import { createSystemRunner } from "../exec/system_runner.ts";
import { answers } from "../file/answers.ts";
import * as paths from "../paths/paths.ts";
import { placeExecutable } from "./place_executable.ts";
import { type Installation, uninstall } from "./uninstall.ts";
import { INSTALL_USAGE, UNINSTALL_USAGE } from "./usage.ts";

/** What `main.ts` hands to a mode: it alone sees the process. */
export interface InstallStart {
  /** What follows the mode on the command line. */
  readonly args: readonly string[];
  /** Gives up what no set can narrow. */
  giveUpNetwork(): void;
}

const MODES = {
  install: { usage: INSTALL_USAGE, flags: [], run: runInstall },
  uninstall: { usage: UNINSTALL_USAGE, flags: ["force", "keep-bgp-routes"], run: runUninstall },
} as const;

/** @returns the process's exit code: 1 when it could not, 2 for a wrong command line */
export async function run(mode: keyof typeof MODES, start: InstallStart): Promise<number> {
  const { usage, flags, run } = MODES[mode];
  const given = readFlags(start.args, { flags, usage });
  if (typeof given === "number") return given;
  try {
    await run(start, given);
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

/** @returns the flags that are set, or the exit code */
function readFlags(
  args: readonly string[],
  { flags, usage }: { flags: readonly string[]; usage: string },
): ReadonlySet<string> | number {
  try {
    const known = Object.fromEntries(flags.map((flag) => [flag, { type: "boolean" }] as const));
    const options = { ...known, help: { type: "boolean", short: "h" } } as const;
    const { values } = parseArgs({ args: [...args], options, strict: true });
    if (values["help"] !== true) return new Set(Object.keys(values));
    console.log(usage);
    return 0;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return 2;
  }
}

async function runInstall({ giveUpNetwork }: InstallStart): Promise<void> {
  giveUpNetwork();
  const [source, target] = [paths.IMAGE_EXECUTABLE, paths.PLUGIN];
  const placed = await placeExecutable({ source, target, temporary: paths.NEW_PLUGIN, runner: createSystemRunner() });
  console.log(`${target} ${placed === "placed" ? "is new" : "was there already"}`);
  await Deno.lstat(paths.LOOPBACK_PLUGIN).catch(() => {
    console.error(`${paths.LOOPBACK_PLUGIN} is missing: most runtimes make no pod without it`);
  });
}

async function runUninstall({ giveUpNetwork }: InstallStart, flags: ReadonlySet<string>): Promise<void> {
  const installation: Installation = {
    tools: { runner: createSystemRunner(), ip: paths.IP, nft: paths.NFT },
    daemons: [
      { name: "flock's agent", socket: paths.AGENT_SOCKET },
      { name: "flock's BIRD", socket: paths.BIRD_SOCKET },
    ],
    answers,
    giveUpNetwork,
    conflist: paths.CONFLIST,
    directories: [paths.RUN_DIR, paths.STATE_DIR, paths.CONFIG_DIR],
    executables: [paths.NEW_PLUGIN, paths.PLUGIN],
  };
  const options = { force: flags.has("force"), keepBgpRoutes: flags.has("keep-bgp-routes") };
  await uninstall(installation, options).catch((error: unknown) => {
    throw new Error(`Cannot uninstall: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  });
  console.log("Nothing of flock is left but the sysctls that it set: they are as they were after a reboot");
}
