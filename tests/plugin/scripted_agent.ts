/**
 * An agent that does what its only argument says with every request; notes the requests in /run/flock/requests. It ends with its
 * standard input, which is open for as long as whoever started it lives.
 */
const [script = ""] = Deno.args;
const listener = Deno.listen({ transport: "unix", path: "/run/flock/agent.sock" });
Deno.stdout.writeSync(new TextEncoder().encode("listening\n"));

async function listen(): Promise<void> {
  for await (const connection of listener) {
    if (script === "hangs up at once") connection.close();
    else serve(connection);
  }
}

async function serve(connection: Deno.UnixConn): Promise<void> {
  const buffer = new Uint8Array(1 << 20);
  let size = 0;
  while (buffer[size - 1] !== 0x0a) {
    const count = await connection.read(buffer.subarray(size));
    if (count === null) return connection.close();
    size += count;
  }
  Deno.writeFileSync("/run/flock/requests", buffer.subarray(0, size), { append: true });
  if (script === "hangs up") return connection.close();
  await connection.write(new TextEncoder().encode(`${script}\n`));
  connection.close();
}

async function untilInputEnds(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
}

untilInputEnds().then(() => Deno.exit(0));
listen();
