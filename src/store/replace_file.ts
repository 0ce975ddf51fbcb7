import type { StateFiles } from "./state_files.ts";

/** @returns the directory and the last part of an absolute path */
export function splitPath(path: string): { directory: string; name: string } {
  const slash = path.lastIndexOf("/");
  return { directory: path.slice(0, Math.max(slash, 1)), name: path.slice(slash + 1) };
}

/**
 * Replaces a file so that a crash at any time leaves the old or the new one: a temporary file beside it, fsync, rename, fsync of the
 * directory. On failure the temporary file is removed as far as the disk lets it.
 *
 * @throws what the disk says; the new file may then be in place all the same, when only the last fsync failed
 */
export async function replaceFile(
  files: StateFiles,
  { path, content }: { path: string; content: Uint8Array<ArrayBuffer> },
): Promise<void> {
  const { directory, name } = splitPath(path);
  const temporary = `${directory}/${temporaryPrefix(name)}${crypto.randomUUID()}`;
  try {
    await files.create(temporary, content);
    await files.rename(temporary, path);
  } catch (error) {
    await files.remove(temporary).catch(() => undefined);
    throw error;
  }
  await files.syncDirectory(directory);
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
