/**
 * The embedded API server as a process: `deno run --allow-all tests/lab/api/main.ts --listen HOST:PORT --dir DIR`, or with one JSON
 * argument, the options of `startEmbeddedApi`. Runs until SIGTERM or SIGINT. `DIR/ready.json` appears when it listens; faults are
 * ordered by `curl --unix-socket DIR/admin.sock -X POST http://admin/freeze`, `refuse`, `recover`, `compact`, `fail/503`.
 */
import type { ApiServer } from "./api_server.ts";
import { type EmbeddedOptions, startEmbeddedApi } from "./embedded.ts";
import { ADMIN_SOCKET, READY_FILE } from "./embedded_process.ts";

const USAGE = "usage: main.ts --listen HOST:PORT --dir DIR [--advertise HOST]";

type Options = EmbeddedOptions & { readonly dir: string };

/** @throws with the usage */
function parseArguments(args: readonly string[]): Options {
  const [first = ""] = args;
  if (first.startsWith("{")) return JSON.parse(first);
  const flags = new Map(args.flatMap((arg, i) => i % 2 === 0 ? [[arg, args[i + 1] ?? ""] as const] : []));
  const [, hostname = "", port] = /^\[?([^\]]+)\]?:(\d+)$/.exec(flags.get("--listen") ?? "") ?? [];
  const [dir, advertise] = [flags.get("--dir"), flags.get("--advertise")];
  if (hostname === "" || dir === undefined) throw new Error(USAGE);
  return { hostname, port: Number(port), dir, ...(advertise === undefined ? {} : { advertise }) };
}

function serveAdmin(server: ApiServer, path: string): Deno.HttpServer<Deno.UnixAddr> {
  const { freeze, refuse, recover, compact, fail } = bindAll(server);
  const orders: Record<string, (argument: number) => Promise<void>> = { freeze, refuse, recover, compact, fail };
  return Deno.serve({ path, onListen: () => {} }, async (request) => {
    const [order = "", argument] = new URL(request.url).pathname.slice(1).split("/");
    const run = Object.hasOwn(orders, order) ? orders[order] : undefined;
    if (run === undefined) return new Response(`no such order: ${order}\n`, { status: 404 });
    await run(Number(argument));
    return new Response("done\n");
  });
}

function bindAll({ faults }: ApiServer): ApiServer["faults"] {
  return {
    freeze: () => faults.freeze(),
    refuse: () => faults.refuse(),
    recover: () => faults.recover(),
    compact: () => faults.compact(),
    fail: (status) => faults.fail(status),
  };
}

async function main(): Promise<void> {
  const options = parseArguments(Deno.args);
  const server = await startEmbeddedApi(options);
  const admin = serveAdmin(server, `${options.dir}/${ADMIN_SOCKET}`);
  const ended = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, () => resolve());
  });
  await writeReady(server, `${options.dir}/${READY_FILE}`);
  await ended;
  await admin.shutdown();
  await server.stop();
  Deno.exit(0);
}

/** By a rename, so that a reader never sees half of it. */
async function writeReady(server: ApiServer, file: string): Promise<void> {
  const tokens = server.tokens;
  const access = { url: server.url, caFile: server.caFile, tokens };
  await Deno.writeTextFile(`${file}.new`, JSON.stringify({ access, ca: await Deno.readTextFile(server.caFile) }));
  await Deno.rename(`${file}.new`, file);
}

if (import.meta.main) {
  main().catch((error) => {
    // deno-lint-ignore no-console -- a program of its own
    console.error(String(error));
    Deno.exit(1);
  });
}
