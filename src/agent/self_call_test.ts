import { assertEquals, assertStringIncludes } from "@std/assert";
import { callItself } from "./self_call.ts";

/** Serves one connection on a socket of its own. @returns what callItself says of it */
async function callWith(serve: (connection: Deno.UnixConn) => Promise<unknown>): Promise<string | undefined> {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/agent.sock`;
  const listener = Deno.listen({ transport: "unix", path });
  const served = listener.accept().then(async (connection) => {
    await serve(connection);
    connection.close();
  });
  try {
    const answer = await callItself(path, 100);
    await served;
    return answer;
  } finally {
    listener.close();
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("callItself() is content with any answer, and names silence, a hang-up and a socket that is gone", async () => {
  const bytes = new TextEncoder().encode('{"ok":false}\n');
  assertEquals(await callWith((connection) => connection.write(bytes)), undefined);
  assertEquals(await callWith((connection) => connection.read(new Uint8Array(100))), "the agent hangs up");
  const untilClosed = async (connection: Deno.UnixConn): Promise<void> => {
    while (await connection.read(new Uint8Array(100)) !== null);
  };
  assertEquals(await callWith(untilClosed), "the agent does not answer within 100 ms");
  assertStringIncludes(await callItself("/nowhere/agent.sock") ?? "", "NotFound");
});
