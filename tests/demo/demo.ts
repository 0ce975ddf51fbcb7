/**
 * `deno task demo`: two nodes and a router in namespaces of this machine, pods started by containerd, and everything that flock promises
 * about their addresses looked at from all sides. Exit code 0 only when all of it held.
 */
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { listKeptLabs, removeLab } from "../lab/census.ts";
import { createLab, type Lab } from "../lab/lab.ts";
import { onInterrupt } from "../lab/on_interrupt.ts";
import { ensurePackages, LAB_PACKAGES } from "../lab/packages.ts";
import { renderGuide } from "./guide.ts";
import { createScreen, type Screen } from "./screen.ts";
import { type Cast, startCast, tellStory } from "./story.ts";
import { renderSummary } from "./summary.ts";

const USAGE = `Usage: deno task demo [--keep | --down]

Builds a network of two nodes, an FRR router and an outside client in namespaces, starts pods by containerd and checks their
addresses, routes, MTU and sources. Needs root; nothing of it is visible in the machine's own network.

  --keep   leaves it running and says how to look around
  --down   ends what --keep left running
`;

async function main(args: readonly string[]): Promise<number> {
  const write = (text: string): void => void Deno.stdout.writeSync(new TextEncoder().encode(text));
  const screen = createScreen({ write, terminal: Deno.stdout.isTerminal() && !Deno.env.has("NO_COLOR") });
  const [option, ...more] = args;
  if (more.length > 0 || !["--keep", "--down", undefined].includes(option)) {
    write(USAGE);
    return option === "--help" ? 0 : 2;
  }
  return option === "--down" ? await takeDown(screen) : await run(screen, { keep: option === "--keep" });
}

async function takeDown(screen: Screen): Promise<number> {
  for (const id of await listKeptLabs()) await screen.step(`ending lab ${id}`, () => removeLab(id));
  return 0;
}

async function run(screen: Screen, { keep }: { keep: boolean }): Promise<number> {
  const start = performance.now();
  const runner = createSystemRunner();
  screen.print(screen.paint("flock: routable pod addresses by BGP, no tunnels, no NAT", "bold"));
  try {
    screen.heading("The network");
    await screen.step("Debian packages", () => ensurePackages(LAB_PACKAGES, { runner, progress: screen.print }));
    const lab = await screen.step("router, two nodes, client, API server", () => createLab(), describeLab);
    return await withLab(lab, { screen, keep, start });
  } catch {
    return 1; // The screen has shown it.
  }
}

async function withLab(
  lab: Lab,
  { screen, keep, start }: { screen: Screen; keep: boolean; start: number },
): Promise<number> {
  const interrupted = onInterrupt(() => lab[Symbol.asyncDispose]());
  try {
    const cast = await startCast(lab, screen);
    await tellStory(cast, screen);
    const passed = screen.outcomes.every((outcome) => outcome.passed);
    for (const line of renderSummary(screen, { cast, milliseconds: performance.now() - start })) screen.print(line);
    if (keep) await leaveRunning(cast, screen);
    return passed ? 0 : 1;
  } finally {
    if (screen.outcomes.some((outcome) => !outcome.passed)) await showLogs(lab, screen);
    interrupted[Symbol.dispose]();
    await lab[Symbol.asyncDispose]();
  }
}

function describeLab(lab: Lab): string {
  return `AS 65000 between ${
    lab.nodes.map(({ spec }) => `${spec.name} (AS ${spec.asn})`).join(", ")
  }; ${lab.api.kind} API`;
}

async function leaveRunning(cast: Cast, screen: Screen): Promise<void> {
  await cast.lab.keep();
  for (const line of renderGuide(cast, screen.paint)) screen.print(line);
}

/** The end of what agents wrote: where to look first when something does not hold. */
async function showLogs(lab: Lab, screen: Screen): Promise<void> {
  for (const node of lab.nodes) {
    const lines = (await node.readLog("agent")).trim().split("\n").slice(-10);
    screen.heading(`agent on ${node.name}`);
    for (const line of lines) screen.print(`  ${screen.paint(line.slice(0, 240), "dim")}`);
  }
}

if (import.meta.main) main(Deno.args).then(Deno.exit);
