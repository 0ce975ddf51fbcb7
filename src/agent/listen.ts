/**
 * Opens the agent's socket. The directory belongs to root alone, so the socket's own mode hardly matters; it is 0600 all the same.
 *
 * A socket that a dead agent left is replaced; one that answers belongs to a live agent, and there is only one writer (cases-failure
 * 4.2, rule 9). Two agents that start in the same instant are told apart by the lock on the directory's lock file, which the
 * kernel drops with its holder.
 *
 * @param path the socket's absolute path, at most 107 bytes
 * @throws when another agent is alive
 */
export async function listenExclusively(path: string): Promise<Deno.Listener<Deno.UnixConn>> {
  const directory = path.slice(0, path.lastIndexOf("/"));
  Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  await lock(`${directory}/agent.lock`, path);
  if (await answers(path)) throw new Error(`Cannot listen on "${path}": another agent answers there`);
  removeStale(path);
  const listener = Deno.listen({ transport: "unix", path });
  Deno.chmodSync(path, 0o600);
  return listener;
}

const LOCK_TIMEOUT_MS = 1_000;

/** Held until the process ends: the file is never closed. */
async function lock(file: string, path: string): Promise<void> {
  const handle = await Deno.open(file, { create: true, write: true, mode: 0o600 });
  const late = Symbol("late");
  const timer = Promise.withResolvers<symbol>();
  const timeout = setTimeout(() => timer.resolve(late), LOCK_TIMEOUT_MS);
  const winner = await Promise.race([handle.lock(true), timer.promise]);
  clearTimeout(timeout);
  if (winner === late) throw new Error(`Cannot listen on "${path}": another agent holds "${file}"`);
}

async function answers(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}

function removeStale(path: string): void {
  try {
    if (!Deno.lstatSync(path).isSocket) throw new Error(`Cannot listen on "${path}": it is not a socket`);
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
