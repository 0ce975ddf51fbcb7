import type { StateFiles } from "./state_files.ts";

/** @returns the directory and the last part of an absolute path */
export function splitPath(path: string): { directory: string; name: string } {
  const slash = path.lastIndexOf("/");
  return { directory: path.slice(0, Math.max(slash, 1)), name: path.slice(slash + 1) };
}

export interface Replacement {
  readonly path: string;
  readonly content: Uint8Array<ArrayBuffer>;
  /** The name under which the old content stays, if it shall. */
  readonly previous?: string | undefined;
}

/**
 * Replaces a file so that a crash at any time leaves the old or the new one: a temporary file beside it, fsync, rename, fsync of the
 * directory. On failure the temporary file is removed as far as the disk lets it.
 *
 * The old content kept beside it is also the reserve of a full disk, for what takes no more room than there is taken now: a DEL. An ADD
 * that took it would leave nothing for the DELs after it.
 *
 * @throws what the disk says; the new file may then be in place all the same, when only the last fsync failed
 */
export async function replaceFile(files: StateFiles, { path, content, previous }: Replacement): Promise<void> {
  const { directory, name } = splitPath(path);
  const temporary = `${directory}/${temporaryPrefix(name)}${crypto.randomUUID()}`;
  try {
    await createWithReserve(files, { path, temporary, content, previous });
    // What is only a spare fails no write.
    if (previous !== undefined) await files.link(path, previous).catch(() => undefined);
    await files.rename(temporary, path);
  } catch (error) {
    await files.remove(temporary).catch(() => undefined);
    throw error;
  }
  await files.syncDirectory(directory);
}

async function createWithReserve(
  files: StateFiles,
  { path, temporary, content, previous }: Replacement & { temporary: string },
): Promise<void> {
  try {
    await files.create(temporary, content);
  } catch (error) {
    const { bytes: taken = 0 } = await files.inspect(path) ?? {};
    if (previous === undefined || !isOutOfRoom(error) || content.length > taken) throw error;
    await files.remove(temporary);
    await files.remove(previous);
    await files.create(temporary, content);
  }
}

function isOutOfRoom(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}

/** Removes the temporary files that a crash left beside the file. @returns their paths */
export async function removeLeftovers(files: StateFiles, path: string): Promise<readonly string[]> {
  const { directory, name } = splitPath(path);
  const names = (await files.list(directory)).filter((entry) => entry.startsWith(temporaryPrefix(name)));
  const leftovers = names.map((entry) => `${directory}/${entry}`);
  for (const leftover of leftovers) await files.remove(leftover);
  return leftovers;
}

function temporaryPrefix(name: string): string {
  return `.${name}.tmp-`;
}
