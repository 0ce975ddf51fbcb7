/** Removes files and directories without ever leaving the file system on which it began. */

/** A mount that is in the way. */
export class InTheWay extends Error {
  override readonly name = "InTheWay";
}

/**
 * Removes a file, whatever it is; a link and not what it leads to.
 *
 * @returns whether there was anything
 */
export async function removeFile(path: string): Promise<boolean> {
  return await Deno.remove(path).then(() => true, (error: unknown) => {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  });
}

/**
 * Removes a directory with all that is in it. One that is itself a mount, as a container sees a directory of its node,
 * is emptied and stays.
 *
 * @returns whether there was anything
 * @throws InTheWay, having removed nothing, when something is mounted below; Deno's errors
 */
export async function removeDirectory(path: string): Promise<boolean> {
  const found = await lstatIfThere(path);
  if (found === undefined) return false;
  if (!found.isDirectory) return await removeFile(path);
  const everything = await listBelow(path, found.dev);
  for (const each of everything) await removeFile(each);
  await Deno.remove(path).catch((error: unknown) => {
    if (!isMount(error)) throw error;
  });
  return true;
}

/**
 * @param dev of the file system that may not be left
 * @returns what is below, a directory after its content
 * @throws InTheWay
 */
export async function listBelow(path: string, dev: number): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    const below = `${path}/${name}`;
    if (isDirectory && (await Deno.lstat(below)).dev !== dev) {
      throw new InTheWay(`something is mounted on ${below}: umount it first`);
    }
    if (isDirectory) found.push(...await listBelow(below, dev));
    found.push(below);
  }
  return found;
}

/**
 * What the kernel says of a mount that shall go, or where that is on a read-only file system, as a container's root is.
 */
function isMount(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EBUSY" || error.code === "EROFS");
}

async function lstatIfThere(path: string): Promise<Deno.FileInfo | undefined> {
  return await Deno.lstat(path).catch((error: unknown) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
}
