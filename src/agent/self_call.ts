/** Longest that the agent may take to say that it does not understand, in milliseconds. */
const PATIENCE_MS = 5_000;

/** The verb of what the agent asks itself; no runtime ever sends it. */
export const PING_VERB = "PING";

/**
 * Asks the agent on its own socket for nothing but an answer. Not whether somebody listens: the kernel takes connections for a
 * server that does no more, and at a socket file that somebody has removed nobody else gets through either.
 *
 * @returns why there was no answer; undefined: there was one
 */
export async function callItself(socket: string, patienceMs: number = PATIENCE_MS): Promise<string | undefined> {
  let connection: Deno.UnixConn | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    connection = await Deno.connect({ transport: "unix", path: socket });
    const opened = connection;
    timer = setTimeout(() => opened.close(), patienceMs);
    await opened.write(new TextEncoder().encode(`${JSON.stringify({ verb: PING_VERB })}\n`));
    const count = await opened.read(new Uint8Array(1));
    return count === 1 ? undefined : "the agent hangs up";
  } catch (error) {
    return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted
      ? `the agent does not answer within ${patienceMs} ms`
      : String(error);
  } finally {
    clearTimeout(timer);
    closeQuietly(connection);
  }
}

/** The time-out may have closed it. */
function closeQuietly(connection: Deno.UnixConn | undefined): void {
  try {
    connection?.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
