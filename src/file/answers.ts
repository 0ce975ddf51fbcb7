/**
 * Says whether somebody takes connections on the Unix socket.
 *
 * @throws Deno's errors, other than that nobody listens or nothing is there
 */
export async function answers(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}
