/** The embedded server as a process of its own, for a place of the lab whose network this process does not share. */
import type { Daemon } from "../process.ts";
import { exists, until } from "../until.ts";
import { type Spawn, spawnOnMachine } from "./_process.ts";
import { type Access, type ApiFaults, type ApiServer, describeAccess } from "./api_server.ts";
import type { EmbeddedOptions } from "./embedded.ts";

export interface ProcessOptions extends EmbeddedOptions {
  /** Required: the process and its owner meet in it. */
  readonly dir: string;
  /** Where it runs: a place's `spawn`. Default: on the machine. */
  readonly spawn?: Spawn;
}

/** Files in `dir` by which owner and process find each other. */
export const READY_FILE = "ready.json";
/** A unix socket: it is reached across network namespaces, and while the server's own listener is closed. */
export const ADMIN_SOCKET = "admin.sock";

const MAIN = new URL("./main.ts", import.meta.url).pathname;
const CONFIG = new URL("../../../deno.json", import.meta.url).pathname;

/** Starts `main.ts`. @returns once it listens. @throws with its log when it ends before */
export async function startEmbeddedProcess(options: ProcessOptions): Promise<ApiServer> {
  const { spawn, ...embedded } = options;
  const { dir } = options;
  await Deno.mkdir(dir, { recursive: true });
  const deno = [Deno.execPath(), "run", "--quiet", "--allow-all", "--config", CONFIG, MAIN];
  const daemon = await (spawn ?? spawnOnMachine(dir))("api", [...deno, JSON.stringify(embedded)]);
  await until("the embedded API server is ready", async () => !daemon.running || await exists(`${dir}/${READY_FILE}`), {
    timeoutMs: 30_000,
  });
  if (!daemon.running) throw new Error(`Cannot start the embedded API server: ${await daemon.readLog()}`);
  const { access, ca } = parseReady(await Deno.readTextFile(`${dir}/${READY_FILE}`));
  return { kind: "embedded", ...describeAccess(access, ca), ...controls(daemon, dir) };
}

function controls(daemon: Daemon, dir: string): Pick<ApiServer, "faults" | "stop"> {
  const http = Deno.createHttpClient({ proxy: { transport: "unix", path: `${dir}/${ADMIN_SOCKET}` } });
  const order = async (what: string): Promise<void> => {
    const response = await fetch(`http://admin/${what}`, { method: "POST", client: http });
    const text = await response.text();
    if (!response.ok) throw new Error(`Cannot ${what} the embedded API server: ${text}`);
  };
  const faults: ApiFaults = {
    freeze: () => order("freeze"),
    refuse: () => order("refuse"),
    fail: (status) => order(`fail/${status}`),
    recover: () => order("recover"),
    compact: () => order("compact"),
  };
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    http.close();
    await daemon.stop();
    if (await exists(dir)) await Deno.remove(dir, { recursive: true });
  };
  return { faults, stop };
}

function parseReady(text: string): { access: Access; ca: string } {
  const { access, ca } = JSON.parse(text);
  return { access, ca };
}
