// deno-lint-ignore-file no-console -- a mode that prints: its usage, and why it could not start
/** The mode `flock agent`: the only one that may load the Kubernetes client. */
import { composeAgent } from "./compose.ts";
import { AGENT_USAGE, parseAgentArgs } from "./parse_agent_args.ts";

/** What `main.ts` hands to a mode: it alone sees the process. */
export interface AgentStart {
  /** What follows `agent` on the command line. */
  readonly args: readonly string[];
  env(name: string): string | undefined;
}

/**
 * Runs the agent until SIGTERM or SIGINT.
 *
 * @returns the process's exit code: 0 after a signal, 1 when it could not start, 2 for a wrong command line
 */
export async function runAgent(start: AgentStart): Promise<number> {
  const options = readOptions(start);
  if (typeof options === "number") return options;
  try {
    const agent = await composeAgent({ ...options, env: start.env });
    await agent.run(stopSignal());
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

function readOptions({ args, env }: AgentStart): Exclude<ReturnType<typeof parseAgentArgs>, "help"> | number {
  try {
    const options = parseAgentArgs(args, env);
    if (options !== "help") return options;
    console.log(AGENT_USAGE);
    return 0;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${AGENT_USAGE}`);
    return 2;
  }
}

function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, () => stop.abort());
  return stop.signal;
}
