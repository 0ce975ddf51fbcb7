/**
 * Replaces a file as a whole: temporary file in the same directory, fsync, rename, fsync of the directory. Whoever reads the path
 * sees the old content or the new, never a part; a directory watcher sees one rename.
 *
 * @param path absolute
 * @param content the whole text; `mode` is the file's (before umask)
 * @throws Deno's errors; the old file is untouched then, and no temporary file stays
 */
export async function writeAtomically(path: string, { text, mode }: { text: string; mode: number }): Promise<void> {
  const directory = path.slice(0, path.lastIndexOf("/"));
  const temporary = `${directory}/.${path.slice(directory.length + 1)}.${crypto.randomUUID()}`;
  try {
    await writeDurably(temporary, { text, mode });
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
  await syncPath(directory);
}

/**
 * Writes a new file and resolves when its content is on the disk.
 *
 * @throws when there is anything at the path: a link planted there would lead the write to a file of somebody's choice
 */
export async function writeDurably(path: string, content: { text: string; mode: number }): Promise<void> {
  await writeNew(path, content);
  await syncPath(path);
}

/** Writes a new file, which others can read then, and a power cut may still take. @throws as `writeDurably` */
export async function writeNew(path: string, { text, mode }: { text: string; mode: number }): Promise<void> {
  const file = await Deno.open(path, { createNew: true, write: true, mode });
  try {
    let rest = new TextEncoder().encode(text);
    while (rest.length > 0) rest = rest.subarray(await file.write(rest));
  } finally {
    file.close(); // not `using`, here and below: see tests/gate/using_test.ts
  }
}

/** Resolves when the file's content, or the directory's entries, are on the disk, whoever wrote them. */
export async function syncPath(path: string): Promise<void> {
  const file = await Deno.open(path, { read: true });
  try {
    await file.sync();
  } finally {
    file.close();
  }
}
