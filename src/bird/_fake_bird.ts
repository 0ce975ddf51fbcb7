/** A control socket that answers as a test says, for what a real BIRD does not do on demand. */
export interface FakeBird extends Disposable {
  readonly path: string;
  /** Every command, in order. */
  readonly commands: string[];
  /** How many connections were made. */
  connections: number;
  /** Ends every connection, as a BIRD that dies does. */
  hangUp(): void;
}

/** @param answer the reply to a command, with its line ends; undefined: silence */
export function fakeBird(path: string, answer: (command: string) => string | undefined): FakeBird {
  const listener = Deno.listen({ transport: "unix", path });
  const open = new Set<Deno.Conn>();
  const bird: FakeBird = {
    path,
    commands: [],
    connections: 0,
    hangUp: () => open.forEach((conn) => close(conn, open)),
    [Symbol.dispose]: () => {
      bird.hangUp();
      listener.close();
    },
  };
  void serve(listener, { open, bird, answer });
  return bird;
}

type Parts = { open: Set<Deno.Conn>; bird: FakeBird; answer: (command: string) => string | undefined };

async function serve(listener: Deno.Listener, parts: Parts): Promise<void> {
  for await (const conn of listener) {
    parts.bird.connections++;
    parts.open.add(conn);
    void talk(conn, parts).catch(() => {});
  }
}

async function talk(conn: Deno.Conn, { open, bird, answer }: Parts): Promise<void> {
  const say = (text: string): Promise<number> => conn.write(new TextEncoder().encode(text));
  await say("0001 BIRD 2.0.12 ready.\n");
  const buffer = new Uint8Array(4096);
  for (let size = await conn.read(buffer); size !== null; size = await conn.read(buffer)) {
    const command = new TextDecoder().decode(buffer.subarray(0, size)).trim();
    bird.commands.push(command);
    const text = answer(command);
    if (text !== undefined) await say(text);
  }
  close(conn, open);
}

function close(conn: Deno.Conn, open: Set<Deno.Conn>): void {
  if (open.delete(conn)) conn.close();
}
