/** The mode `flock inspect`: reads, and never loads the Kubernetes client. */
import { systemClock } from "../clock/clock.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { AGENT_SOCKET, LAST_NODE_CONFIG, POLICY_NAMES, STATE_FILE } from "../paths/paths.ts";
import { EXIT_CODES } from "./document.ts";
import { look, type Looked } from "./look.ts";
import { type Form, type InspectOptions, parseInspectArgs } from "./parse_inspect_args.ts";
import { readAgent } from "./read_agent.ts";
import { readBirdSessions } from "./read_bird.ts";
import { nodeReaders, once, readFiles } from "./read_files.ts";
import { readBgp, readLed } from "./read_bgp.ts";
import { readNodeAddresses } from "./read_node_addresses.ts";
import { readPolicies } from "./read_policies.ts";
import { kernelReaders } from "./read_kernel.ts";
import { createReadingRunner } from "./reading_runner.ts";
import { renderJson } from "./render_json.ts";
import { renderReport, takesColour } from "./render_table.ts";
import { renderYaml } from "./render_yaml.ts";
import type { SourceReaders } from "./sources.ts";
import { inspectUsage } from "./usage.ts";

/** What `main.ts` hands to a mode: it alone sees the process. */
export interface InspectStart {
  /** What follows `inspect` on the command line. */
  readonly args: readonly string[];
  env(name: string): string | undefined;
}

/** Milliseconds between looks of `--watch`, and before the second look at something that is wrong. */
const WATCH_MS = 2_000;
const SECOND_LOOK_MS = 300;
/** Clears the screen and goes to its corner. */
const CLEAR = "\x1b[H\x1b[2J\x1b[3J";

/** @returns the process's exit code: 0 all is well, 1 something is wrong, 2 could not look or a wrong command line */
export async function inspect({ args, env }: InspectStart): Promise<number> {
  const options = readOptions(args);
  if (typeof options === "number") return options;
  try {
    return await run(options, env);
  } catch (error) {
    return complain(`Cannot inspect: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function run(options: InspectOptions, env: InspectStart["env"]): Promise<number> {
  const isTerminal = Deno.stdout.isTerminal();
  const colour = takesColour({ isTerminal, noColor: env("NO_COLOR") });
  for (;;) {
    const looked = await look({
      ...options,
      readers: () => readSystem(options.words),
      now: () => Date.now(),
      pause: () => systemClock.sleep(SECOND_LOOK_MS),
    });
    const text = render(looked, { form: options.form, colour });
    await print(Deno.stdout, options.watch && isTerminal ? CLEAR + text : text);
    if (!options.watch) return EXIT_CODES[looked.verdict];
    await systemClock.sleep(WATCH_MS);
  }
}

function readOptions(args: readonly string[]): InspectOptions | number {
  try {
    const options = parseInspectArgs(args);
    if (options !== "help") return options;
    Deno.stdout.writeSync(new TextEncoder().encode(inspectUsage()));
    return 0;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return complain(`${message}\n\n${inspectUsage()}`);
  }
}

/** @returns the exit code of whoever could not look */
function complain(text: string): number {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text.trimEnd()}\n`));
  return EXIT_CODES.unseen;
}

/** @param words what is asked about: some sources say no more than that */
function readSystem(words: readonly string[]): SourceReaders {
  const runner = createReadingRunner(createSystemRunner());
  const recorded = once(() =>
    readFiles({ state: STATE_FILE, nodeConfig: LAST_NODE_CONFIG }, (path) => Deno.readFile(path))
  );
  return {
    ...nodeReaders({ agent: once(() => readAgent(AGENT_SOCKET)), recorded }),
    sessions: () => readBirdSessions(runner),
    bgp: () => readBgp(runner),
    led: () => readLed(runner, words),
    policies: () => readPolicies(runner, () => Deno.readTextFile(POLICY_NAMES)),
    nodeAddresses: () => readNodeAddresses(runner),
    ...kernelReaders(runner),
  };
}

function render({ report, document, headline }: Looked, { form, colour }: { form: Form; colour: boolean }): string {
  switch (form) {
    case "json":
      return renderJson(document);
    case "yaml":
      return renderYaml(document);
    default:
      return renderReport(headline, report, { colour, wide: form === "wide" });
  }
}

/** All of it: a pipe takes 64 KiB at once. */
async function print(to: { write(bytes: Uint8Array): Promise<number> }, text: string): Promise<void> {
  let rest = new TextEncoder().encode(text);
  while (rest.length > 0) rest = rest.subarray(await to.write(rest));
}
