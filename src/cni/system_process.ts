import { systemClock } from "../clock/clock.ts";
import { CNI_CODE } from "../cnispec/cni_error.ts";
import { renderError } from "../cnispec/result.ts";
import { AGENT_SOCKET, TOMBSTONE_DIR } from "../paths/paths.ts";
import { giveUpEverything, keepOnly } from "../permissions/give_up.ts";
import { leaveTombstone } from "./leave_tombstone.ts";
import type { AgentConnection, Kept, PluginProcess } from "./plugin_process.ts";

const PEEK_BYTES = 65_536;
/**
 * Turns of the event loop (writes of nothing) for which a peek waits before it arms a timer, which loads Deno's events and takes
 * 0.5 ms: a runtime has written and closed standard input long before.
 */
const PEEK_TURNS = 20;
const NOTHING = new Uint8Array(0);
/** A full backlog means a busy agent, not an absent one. */
const BACKLOG_RETRIES = 200;
const BACKLOG_RETRY_MS = 10;

const SOCKET_ONLY = { read: [AGENT_SOCKET], write: [AGENT_SOCKET], net: [`unix:${AGENT_SOCKET}`] };
const TOMBSTONES_ONLY = { read: [TOMBSTONE_DIR], write: [TOMBSTONE_DIR] };

/** The process that the runtime started. */
export const systemProcess: PluginProcess = {
  env: (name) => Deno.env.get(name),
  readStdin,
  peekStdin,
  print,
  connect,
  giveUp,
  leaveTombstone,
  monotonic: systemClock.monotonic,
  wall: systemClock.wall,
  sleep,
};

/** Answers with code 999 whatever else was missed, so that the runtime always gets a document. */
export function installLastResort(process: PluginProcess): void {
  const answer = (error: unknown): void => {
    if (!printed) process.print(`${JSON.stringify({ ...renderError(error), code: CNI_CODE.internal })}\n`);
    Deno.exit(1);
  };
  globalThis.addEventListener("error", (event) => answer(event.error));
  globalThis.addEventListener("unhandledrejection", (event) => answer(event.reason));
}

function readStdin(limit: number): Uint8Array {
  const bytes = new Uint8Array(limit + 1);
  let size = 0;
  while (size < bytes.length) {
    const count = Deno.stdin.readSync(bytes.subarray(size));
    if (count === null) break;
    size += count;
  }
  return bytes.subarray(0, size);
}

async function peekStdin(ms: number): Promise<Uint8Array> {
  const chunk = new Uint8Array(PEEK_BYTES);
  let size = 0;
  const read = async (): Promise<void> => {
    while (size < chunk.length) {
      const count = await Deno.stdin.read(chunk.subarray(size));
      if (count === null) return;
      size += count;
    }
  };
  let ended = false;
  const end = read().catch(() => undefined).then(() => (ended = true));
  for (let turn = 0; turn < PEEK_TURNS && !ended; turn++) await Deno.stdout.write(NOTHING);
  if (!ended) await Promise.race([end, sleep(ms)]);
  return chunk.subarray(0, size);
}

let printed = false;

function print(text: string): void {
  printed = true;
  let rest: Uint8Array = new TextEncoder().encode(text);
  while (rest.length > 0) rest = rest.subarray(Deno.stdout.writeSync(rest));
}

async function connect(): Promise<AgentConnection | undefined> {
  for (let tries = 0;; tries++) {
    try {
      return await Deno.connect({ transport: "unix", path: AGENT_SOCKET });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) return undefined;
      if (!(error instanceof Deno.errors.WouldBlock) || tries === BACKLOG_RETRIES) throw error;
      await sleep(BACKLOG_RETRY_MS);
    }
  }
}

/** By AbortSignal, because the first `setTimeout` of a process loads Deno's Node timers, and those take 15 ms. */
function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => AbortSignal.timeout(ms).addEventListener("abort", () => resolve()));
}

function giveUp(keep: Kept): void {
  if (keep === "nothing") return giveUpEverything();
  keepOnly(keep === "tombstones" ? TOMBSTONES_ONLY : SOCKET_ONLY);
}
