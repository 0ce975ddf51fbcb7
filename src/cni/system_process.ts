import { systemClock } from "../clock/clock.ts";
import { CNI_CODE } from "../cnispec/cni_error.ts";
import { renderError } from "../cnispec/result.ts";
import { AGENT_SOCKET, TOMBSTONE_DIR } from "../paths/paths.ts";
import { giveUpEverything, keepOnly } from "../permissions/give_up.ts";
import { newRequestId } from "../rpc/request_id.ts";
import type { AgentConnection, Kept, PluginProcess } from "./plugin_process.ts";
import { hasPrinted, print, sleep } from "./stdio.ts";

/** A full backlog means a busy agent; one that is full for 2 s on end, an agent that hangs. */
const BACKLOG_RETRIES = 200;
const BACKLOG_RETRY_MS = 10;

const SOCKET_ONLY = { read: [AGENT_SOCKET], write: [AGENT_SOCKET], net: [`unix:${AGENT_SOCKET}`] };
const TOMBSTONES_ONLY = { read: [TOMBSTONE_DIR], write: [TOMBSTONE_DIR] };

/** The process that the runtime started. */
export const systemProcess: PluginProcess = {
  env: (name) => Deno.env.get(name),
  readStdin,
  print,
  connect,
  hadAgent,
  giveUp,
  monotonic: systemClock.monotonic,
  wall: systemClock.wall,
  requestId: () => newRequestId(),
  sleep,
};

/** Answers with code 999 whatever else was missed, so that the runtime always gets a document. */
export function installLastResort(process: PluginProcess): void {
  const answer = (error: unknown): void => {
    if (!hasPrinted()) process.print(`${JSON.stringify({ ...renderError(error), code: CNI_CODE.internal })}\n`);
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

async function connect(): Promise<AgentConnection | undefined> {
  for (let tries = 0;; tries++) {
    try {
      return await Deno.connect({ transport: "unix", path: AGENT_SOCKET });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) return undefined;
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      if (tries === BACKLOG_RETRIES) return undefined;
      await sleep(BACKLOG_RETRY_MS);
    }
  }
}

/** By the directory that an agent makes at its start: its socket goes with it. */
function hadAgent(): boolean {
  try {
    return Deno.lstatSync(TOMBSTONE_DIR).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function giveUp(keep: Kept): void {
  if (keep === "nothing") return giveUpEverything();
  keepOnly(keep === "tombstones" ? TOMBSTONES_ONLY : SOCKET_ONLY);
}
