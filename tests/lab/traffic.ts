/** Requests and answers in the lab: who answers at an address, and how many requests get none. */
import type { Place } from "./place.ts";
import type { Vantage } from "./probes.ts";
import type { Daemon } from "./process.ts";
import type { LoadReport } from "./udp_load.ts";
import { GaveUp, until } from "./until.ts";

/** Of every responder, UDP and TCP. */
export const SERVICE_PORT = 5353;

/** Where a long-running process can be started: a place or a pod. */
export interface Ground {
  spawn: Place["spawn"];
}

/** Starts a responder on these addresses, which must be there. Resolves when it listens. */
export async function startResponder(
  on: Ground,
  { name, addresses }: { readonly name: string; readonly addresses: readonly string[] },
): Promise<Daemon> {
  const daemon = await on.spawn(`responder-${name}`, [...program("responder"), name, `${SERVICE_PORT}`, ...addresses]);
  await untilPrinted(daemon, "ready");
  return daemon;
}

export interface Load {
  /** Ends it. @returns what became of all requests, a second later */
  stop(): Promise<LoadReport>;
}

export interface LoadOptions {
  /** Default 1000. */
  readonly perSecond?: number;
  /** Source ports, in turns. Default 64. */
  readonly flows?: number;
  /** Whether there must be an answer before it counts as started. Default true. */
  readonly answered?: boolean;
}

/** Starts to ask the responders at an address. Resolves once it does, and is answered. */
export async function startLoad(from: Ground, address: string, options: LoadOptions = {}): Promise<Load> {
  const { perSecond = 1000, flows = 64, answered = true } = options;
  const words = [...program("udp_load"), address, `${SERVICE_PORT}`, `${perSecond}`, `${flows}`];
  const daemon = await from.spawn(`load-${crypto.randomUUID().slice(0, 8)}`, words);
  await untilPrinted(daemon, answered ? "answered" : "asking");
  return {
    stop: async () => {
      await daemon.stop("SIGTERM");
      return JSON.parse((await daemon.readLog()).trim().split("\n").at(-1) ?? "");
    },
  };
}

/** Asks once from each of `count` source ports. @returns source port -> who answered */
export async function askFlows(from: Vantage, address: string, count: number): Promise<ReadonlyMap<string, string>> {
  const words = [...program("udp_flows"), address, `${SERVICE_PORT}`, "20000", `${count}`];
  const { code, stdout, stderr } = await from.exec(words, { timeoutMs: 60_000 });
  if (code !== 0) throw new Error(`Cannot ask ${address}: ${stderr}`);
  return new Map(Object.entries<string>(JSON.parse(stdout)));
}

function program(name: "responder" | "udp_load" | "udp_flows"): string[] {
  const path = new URL(`${name}.ts`, import.meta.url).pathname;
  return [Deno.execPath(), "run", "-A", "--quiet", "--no-config", "--no-lock", "--no-check", path];
}

async function untilPrinted(daemon: Daemon, word: string): Promise<void> {
  await until(`${daemon.name} prints ${word}`, async () => {
    const log = await daemon.readLog().catch(() => "");
    if (!daemon.running) throw new GaveUp(`Cannot start ${daemon.name}: ${log}`);
    return log.split("\n").includes(word);
  }, { timeoutMs: 15_000 });
}
