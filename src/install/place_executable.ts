/** Puts the plugin where runtimes look for it, so that at no moment there is none, or one that does not work. */
import { type CommandRunner, expectSuccess, type RunOptions } from "../exec/command_runner.ts";
import { syncPath } from "../file/write_atomically.ts";
import { sameContent } from "./same_content.ts";

export interface Placement {
  /** The executable to copy; absolute, as all paths here. */
  readonly source: string;
  /** Where the copy goes. */
  readonly target: string;
  /**
   * What the copy is called until it is whole; in the target's directory. What is there was left by an install that was
   * killed.
   */
  readonly temporary: string;
  readonly runner: Pick<CommandRunner, "run">;
  /** The user id that flock runs as. Default 0. */
  readonly owner?: number;
  /** Milliseconds to wait for another install on this node. Default 60 000. */
  readonly lockTimeoutMs?: number;
}

export type Placed = "unchanged" | "placed";

const MODE = 0o755;
const CHUNK_BYTES = 1 << 20;
/**
 * As a runtime asks (CNI SPEC 1.1.0, "VERSION"). With a directory for HOME, where a launcher's Deno looks for its
 * settings. A node that boots starts everything at once, and the file has a hundred megabytes.
 */
const VERSION: RunOptions = {
  env: { CNI_COMMAND: "VERSION", HOME: "/" },
  stdin: '{"cniVersion":"1.0.0"}',
  timeoutMs: 60_000,
};
const LOCK_TIMEOUT_MS = 60_000;

/**
 * Copies, makes sure that the copy is on the disk and is what it was copied from, and renames it into place. A source
 * that does not answer VERSION is not even copied: it is cut short, or of another architecture.
 *
 * VERSION is asked of the source and not of the copy, because Deno lets no process write to what it may run
 * (denoland/deno#25370). A copy that is byte for byte the source, and as executable, would have given the same answer.
 *
 * A target that is a link is replaced, and what it leads to stays as it is. Several installs at once wait for each
 * other.
 *
 * @returns "unchanged" when the target is already so, and was not touched
 * @throws when it cannot; target and directory are then as they were
 */
export async function placeExecutable(placement: Placement): Promise<Placed> {
  const { target } = placement;
  const directory = target.slice(0, target.lastIndexOf("/"));
  try {
    const lock = await lockDirectory(directory, placement.lockTimeoutMs ?? LOCK_TIMEOUT_MS);
    try {
      return await placeLocked(placement, directory);
    } finally {
      lock.close();
    }
  } catch (error) {
    throw new Error(`Cannot install ${target}: ${messageOf(error)}`, { cause: error });
  }
}

async function placeLocked(placement: Placement, directory: string): Promise<Placed> {
  const { source, target, temporary } = placement;
  await removeIfThere(temporary);
  await requireAnswer(placement);
  const found = await Deno.lstat(target).catch(unlessMissing);
  if (found?.isDirectory === true) throw new Error("it is a directory");
  const there = found !== undefined && isWhole(found, placement) && await sameContent(source, target);
  if (!there) await replace(placement);
  // Also when it was there: an install that was killed after its rename may not have come so far.
  await syncPath(directory);
  return there ? "unchanged" : "placed";
}

async function replace(placement: Placement): Promise<void> {
  const { source, target, temporary } = placement;
  try {
    await copyDurably(source, temporary);
    if (!isWhole(await Deno.lstat(temporary), placement) || !await sameContent(source, temporary)) {
      throw new Error(`the copy differs from ${source}`);
    }
    await Deno.rename(temporary, target);
  } catch (error) {
    await removeIfThere(temporary);
    throw error;
  }
}

/** Resolves when the copy is on the disk. Its mode comes last, and whatever the umask. */
async function copyDurably(source: string, temporary: string): Promise<void> {
  const from = await Deno.open(source);
  try {
    const to = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
    try {
      await copyBytes(from, to);
      await Deno.chmod(temporary, MODE);
      await to.sync();
    } finally {
      to.close();
    }
  } finally {
    from.close();
  }
}

async function copyBytes(from: Deno.FsFile, to: Deno.FsFile): Promise<void> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let read = await from.read(chunk); read !== null; read = await from.read(chunk)) {
    let rest = chunk.subarray(0, read);
    while (rest.length > 0) rest = rest.subarray(await to.write(rest));
  }
}

/** A file without the right to be run, or with one to become root, is not what was asked for, whatever it holds. */
function isWhole({ isFile, mode, uid }: Deno.FileInfo, { owner = 0 }: Placement): boolean {
  return isFile && ((mode ?? 0) & 0o7777) === MODE && uid === owner;
}

/** @throws when the source does not answer as a plugin does */
async function requireAnswer({ source, runner }: Placement): Promise<void> {
  try {
    const result = await runner.run([source], VERSION);
    const { stdout } = expectSuccess([source], result);
    if (!Array.isArray(JSON.parse(stdout).supportedVersions)) throw new Error(`it answers ${stdout}`);
  } catch (cause) {
    const reason = `${source} does not answer VERSION (cut short, or of another architecture?)`;
    throw new Error(reason, { cause });
  }
}

/**
 * The kernel lets go of it when the file is closed, or the process ends, however.
 *
 * @throws when others hold it for too long
 */
async function lockDirectory(directory: string, timeoutMs: number): Promise<Deno.FsFile> {
  const file = await Deno.open(directory);
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), timeoutMs);
  const ours = await Promise.race([file.lock(true).then(() => true), late.promise]);
  clearTimeout(timer);
  if (!ours) throw new Error(`another install has been at it for ${timeoutMs / 1000} s`);
  return file;
}

async function removeIfThere(path: string): Promise<void> {
  await Deno.remove(path).catch(unlessMissing);
}

function unlessMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** With the system's own words, where there are some. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`;
}
