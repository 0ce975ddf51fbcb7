import { createSystemRunner } from "../../src/exec/system_runner.ts";
import type { Argv, CommandResult } from "../../src/exec/command_runner.ts";

/** What the agent of a cage does with every request: answers this line, hangs up, or says nothing. */
export type AgentScript = string;

/** The executable under test. */
export const FLOCK = Deno.env.get("FLOCK_BIN") ?? new URL("../../dist/flock", import.meta.url).pathname;

/** The variables of an ADD as containerd sets them. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  CNI_CONTAINERID: "0123456789abcdef",
  CNI_NETNS: "/run/netns/none",
  CNI_IFNAME: "eth0",
  CNI_PATH: "/opt/cni/bin",
};

export interface CageRunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Default 60 000. */
  readonly timeoutMs?: number;
}

const SCRIPTED_AGENT = new URL("./scripted_agent.ts", import.meta.url).pathname;
const runner = createSystemRunner();

/**
 * A mount namespace with a /run of its own, since flock's paths are fixed. It ends with its holder, whatever happens to
 * the test.
 */
export class Cage implements AsyncDisposable {
  readonly #children: Deno.ChildProcess[] = [];

  private constructor(private readonly holder: Deno.ChildProcess) {
    this.#children.push(holder);
  }

  static async open(): Promise<Cage> {
    const script = "mount -t tmpfs tmpfs /run && mkdir -m 700 /run/flock && echo ready && exec cat";
    const holder = new Deno.Command("unshare", {
      args: ["--mount", "--propagation", "private", "sh", "-c", script],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    await firstLine(holder);
    return new Cage(holder);
  }

  /**
   * Starts an agent; it listens when the promise resolves, and ends with this process at the latest.
   *
   * @returns the requests it has got, when asked
   */
  async startAgent(script: AgentScript): Promise<{ requests(): Promise<unknown[]>; stop(): Promise<void> }> {
    const [command, ...args] = this.#inside([Deno.execPath(), "run", "-A", "--no-config", SCRIPTED_AGENT, script]);
    const child = new Deno.Command(command, { args, stdin: "piped", stdout: "piped" }).spawn();
    this.#children.push(child);
    await firstLine(child);
    const requests = async (): Promise<unknown[]> => {
      const { stdout } = await this.run(["/bin/cat", "/run/flock/requests"]);
      return stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
    };
    return { requests, stop: () => end(child) };
  }

  /** Runs a command in the cage, with nothing in its environment but what is given. */
  run(argv: Argv, options: CageRunOptions = {}): Promise<CommandResult> {
    const env = Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`);
    const { timeoutMs = 60_000 } = options;
    return runner.run(this.#inside(["/usr/bin/env", "-i", ...env, ...argv]), { stdin: options.stdin ?? "", timeoutMs });
  }

  /** Calls the executable as a runtime does. */
  async call(
    command: string,
    options: { env?: Readonly<Record<string, string>>; config?: unknown } = {},
  ): Promise<CommandResult> {
    const config = options.config ?? { cniVersion: "1.1.0", name: "flock", type: "flock" };
    const stdin = typeof config === "string" ? config : JSON.stringify(config);
    return await this.run([FLOCK], { env: { CNI_COMMAND: command, ...(options.env ?? ENVIRONMENT) }, stdin });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children.reverse()) await end(child);
  }

  #inside(argv: readonly string[]): Argv {
    return ["/usr/bin/nsenter", "--target", String(this.holder.pid), "--mount", ...argv];
  }
}

/** @returns the one JSON document on standard output; undefined when that is empty. @throws for anything else */
export function documentOf({ stdout }: CommandResult): Record<string, unknown> | undefined {
  return stdout === "" ? undefined : JSON.parse(stdout);
}

async function firstLine(child: Deno.ChildProcess): Promise<void> {
  const reader = child.stdout.getReader();
  const { done } = await reader.read();
  reader.releaseLock();
  if (done) throw new Error("Cannot open the cage: its process ended (root is needed)");
}

async function end(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  await child.status;
  await child.stdin.close().catch(() => undefined);
  await child.stdout.cancel().catch(() => undefined);
}
