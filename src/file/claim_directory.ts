import { quote } from "../fault/invalid_input.ts";

/**
 * Makes a directory for root alone, or makes one that is there so (a hostPath's is 0755, a tmpfs's 1777): then nobody can plant
 * anything in it, nor reach a socket in the moment before it has its own mode, whatever the umask.
 *
 * @param path absolute; not followed when it is a link
 * @param options the user id that flock runs as. Default 0
 * @throws when there is something else than a directory, or another user's
 */
export function claimDirectory(path: string, { owner = 0 }: { owner?: number } = {}): void {
  const found = lstatIfThere(path);
  if (found === undefined) return Deno.mkdirSync(path, { recursive: true, mode: PRIVATE });
  if (found.isSymlink) throw new Error(`Cannot use directory ${quote(path)}: it is a link`);
  if (!found.isDirectory) throw new Error(`Cannot use directory ${quote(path)}: it is none`);
  if (found.uid !== owner) throw new Error(`Cannot use directory ${quote(path)}: it belongs to user ${found.uid}`);
  if (((found.mode ?? 0) & ALL_BITS) !== PRIVATE) Deno.chmodSync(path, PRIVATE);
}

/** Says whether the path itself is a link. What flock replaces as a whole takes a link's place; it is never read or written through one. */
export function isLink(path: string): boolean {
  return lstatIfThere(path)?.isSymlink === true;
}

const PRIVATE = 0o700;
const ALL_BITS = 0o7777;

function lstatIfThere(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
