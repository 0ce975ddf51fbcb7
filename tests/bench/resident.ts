/** A program that runs inside a place for as long as it is asked, so that no figure holds the way in. */
import type { Place } from "../lab/place.ts";
import { exists, GaveUp, until } from "../lab/until.ts";
import { linesOf } from "./worker.ts";

/** Asks the program, one line of JSON for another. */
export type Ask<Q, A> = (request: Q) => Promise<A>;

export interface ResidentOptions {
  /** The path of its source. Its first argument is the unix socket that it listens on; it ends with its one connection. */
  readonly program: string;
  readonly args?: readonly string[];
  /** Of the lab. */
  readonly dir: string;
}

/** Starts a program in the place. Resolves when it listens. @returns the way to ask it. @throws what it wrote, when it ends */
export async function startResident<Q, A>(
  place: Place,
  { program, args = [], dir }: ResidentOptions,
): Promise<Ask<Q, A>> {
  const name = `resident-${crypto.randomUUID().slice(0, 8)}`;
  const socket = `${dir}/${name}.sock`;
  const words = ["run", "--quiet", "--allow-all", "--cached-only", program];
  const daemon = await place.spawn(name, [Deno.execPath(), ...words, socket, ...args]);
  await until(`${program} listens`, async () => {
    if (!daemon.running) throw new GaveUp(`Cannot start ${program}: ${await daemon.readLog()}`);
    return await exists(socket);
  }, { timeoutMs: 20_000 });
  const connection = await Deno.connect({ transport: "unix", path: socket });
  const answers = linesOf(connection.readable);
  const writer = connection.writable.getWriter(); // one `write` of a megabyte would write a part of it
  return async (request) => {
    await writer.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
    const { value, done } = await answers.next();
    if (done === true) throw new Error(`Cannot ask ${program}: ${await daemon.readLog()}`);
    return JSON.parse(value);
  };
}
