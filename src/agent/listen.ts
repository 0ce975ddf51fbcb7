import { answers } from "../file/answers.ts";
import { isLink } from "../file/claim_directory.ts";

/**
 * Makes sure that this is the only agent: there is one writer of the state (cases-failure 4.2, rule 9). The kernel drops the lock
 * with its holder, so a dead agent blocks nobody.
 *
 * @param directory the socket's, for root alone
 * @throws when another agent is alive, or the lock file is a link
 */
export async function lockOutOthers(directory: string): Promise<void> {
  const file = `${directory}/agent.lock`;
  if (isLink(file)) throw new Error(`Cannot start agent: "${file}" is a link`);
  if (!(await lock(file))) throw new Error(`Cannot start agent: another one holds "${file}"`);
}

/**
 * Opens the agent's socket in place of one that a dead agent left. The directory belongs to root alone, so the socket's own mode
 * hardly matters; it is 0600 all the same. Called with the others locked out.
 *
 * @param path the socket's absolute path, at most 107 bytes
 * @throws when the path is something else than a socket, or one that answers
 */
export async function listen(path: string): Promise<Deno.Listener<Deno.UnixConn>> {
  if (await answers(path)) throw new Error(`Cannot listen on "${path}": somebody else answers there`);
  removeStale(path);
  const listener = Deno.listen({ transport: "unix", path });
  Deno.chmodSync(path, 0o600);
  return listener;
}

const LOCK_TIMEOUT_MS = 1_000;

/** The file is never closed: the lock is held until the process ends. @returns whether the lock is ours */
async function lock(file: string): Promise<boolean> {
  const handle = await Deno.open(file, { create: true, write: true, mode: 0o600 });
  const late = Promise.withResolvers<boolean>();
  const timeout = setTimeout(() => late.resolve(false), LOCK_TIMEOUT_MS);
  const ours = await Promise.race([handle.lock(true).then(() => true), late.promise]);
  clearTimeout(timeout);
  return ours;
}

function removeStale(path: string): void {
  try {
    if (!Deno.lstatSync(path).isSocket) throw new Error(`Cannot listen on "${path}": it is not a socket`);
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
