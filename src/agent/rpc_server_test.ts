import { assert, assertEquals, assertRejects } from "@std/assert";
import { CniError } from "../cnispec/cni_error.ts";
import { MAX_REQUEST_BYTES } from "../rpc/rpc.ts";
import { logger } from "./_agent_fixture.ts";
import { listen, lockOutOthers } from "./listen.ts";
import { RpcServer } from "./rpc_server.ts";

async function withServer(
  handle: (request: unknown) => Promise<unknown>,
  test: (call: (text: string) => Promise<string>, path: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/agent.sock`;
  const server = new RpcServer({ listener: await listen(path), handle, logger });
  const served = server.serve();
  try {
    await test((text) => call(path, text), path);
  } finally {
    await server.stop();
    await served;
    await Deno.remove(directory, { recursive: true });
  }
}

async function call(path: string, text: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  const writer = connection.writable.getWriter();
  writer.write(new TextEncoder().encode(text)).catch(() => {});
  return await new Response(connection.readable).text();
}

Deno.test("RpcServer answers one line with one line", async () => {
  await withServer((request) => Promise.resolve({ got: request }), async (ask) => {
    assertEquals(JSON.parse(await ask('{"a":1}\n')), { ok: true, result: { got: { a: 1 } } });
  });
});

Deno.test("RpcServer turns what a handler throws into an error answer", async () => {
  const errors = [new CniError(11, "Cannot now", { details: "why" }), new Error("boom")];
  await withServer(() => Promise.reject(errors.shift()), async (ask) => {
    assertEquals(JSON.parse(await ask("{}\n")), { ok: false, code: 11, msg: "Cannot now", details: "why" });
    assertEquals(JSON.parse(await ask("{}\n")).code, 999);
  });
});

Deno.test("RpcServer refuses what is not JSON, and what is too long", async () => {
  await withServer(() => Promise.resolve(), async (ask) => {
    assertEquals(JSON.parse(await ask("not json\n")).code, 6);
    assertEquals(await ask("x".repeat(MAX_REQUEST_BYTES + 70_000)).catch(() => ""), "");
    assertEquals(JSON.parse(await ask("{}\n")), { ok: true });
  });
});

Deno.test("RpcServer lets no silent or vanished client hold up others", async () => {
  await withServer(() => Promise.resolve(), async (ask, path) => {
    const silent = await Deno.connect({ transport: "unix", path });
    (await Deno.connect({ transport: "unix", path })).close();
    assertEquals(JSON.parse(await ask("{}\n")), { ok: true });
    silent.close();
  });
});

Deno.test("RpcServer waits longer for a request's beginning than for its rest, and for neither without end", async () => {
  const path = `${await Deno.makeTempDir()}/agent.sock`;
  const timeouts = { startTimeoutMs: 400, requestTimeoutMs: 50 };
  const server = new RpcServer({ listener: await listen(path), handle: () => Promise.resolve(), logger, ...timeouts });
  const served = server.serve();
  const hungUpAfter = async (text: string): Promise<number> => {
    using connection = await Deno.connect({ transport: "unix", path });
    const start = performance.now();
    if (text !== "") await connection.write(new TextEncoder().encode(text));
    assertEquals(await connection.read(new Uint8Array(1)), null);
    return performance.now() - start;
  };
  const [silent, slow] = await Promise.all([hungUpAfter(""), hungUpAfter("{")]);
  assert(silent >= 390 && slow >= 45 && slow < silent, `${silent} ms, ${slow} ms`);
  await server.stop();
  await served;
  await Deno.remove(path.slice(0, path.lastIndexOf("/")), { recursive: true });
});

Deno.test("RpcServer gives up on a client that does not read its answer, and so stop() ends", async () => {
  const path = `${await Deno.makeTempDir()}/agent.sock`;
  const handle = (): Promise<unknown> => Promise.resolve("x".repeat(16 * 1024 * 1024));
  const server = new RpcServer({ listener: await listen(path), handle, logger, answerTimeoutMs: 50 });
  const served = server.serve();
  using deaf = await Deno.connect({ transport: "unix", path });
  await deaf.write(new TextEncoder().encode("{}\n"));
  assertEquals(await deaf.read(new Uint8Array(1)), 1);
  await server.stop();
  await served;
  await Deno.remove(path.slice(0, path.lastIndexOf("/")), { recursive: true });
});

Deno.test("RpcServer goes on after a connection that could not be accepted", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/agent.sock`;
  const real = await listen(path);
  let failures = 1;
  const listener = {
    accept: (): Promise<Deno.UnixConn> =>
      failures-- > 0 ? Promise.reject(new Error("Too many open files (os error 24)")) : real.accept(),
    close: (): void => real.close(),
  };
  const server = new RpcServer({ listener, handle: () => Promise.resolve("here"), logger });
  const served = server.serve();
  assertEquals(JSON.parse(await call(path, "{}\n")), { ok: true, result: "here" });
  await server.stop();
  await served;
  await Deno.remove(directory, { recursive: true });
});

Deno.test("listen() replaces a dead agent's socket and refuses a live one's", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/agent.sock`;
  const first = await listen(path);
  await assertRejects(() => listen(path), Error, "somebody else answers");
  first.close();
  const second = await listen(path);
  assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
  second.close();
  await Deno.remove(path).catch(() => {});
  await Deno.writeTextFile(path, "precious");
  await assertRejects(() => listen(path), Error, "not a socket");
  assertEquals(await Deno.readTextFile(path), "precious");
  await Deno.remove(directory, { recursive: true });
});

Deno.test({
  name: "lockOutOthers() refuses while another holds the lock (4.2 rule 9)",
  // The lock is held, and waited for, until the process ends: that is what it is for.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const directory = await Deno.makeTempDir();
    await lockOutOthers(directory); // flock(2) tells open files apart, not processes
    await assertRejects(() => lockOutOthers(directory), Error, "another one holds");
    await Deno.remove(directory, { recursive: true });
  },
});
