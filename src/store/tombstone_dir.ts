/** The notes that the plugin left while the agent was away. Ours is everything in the directory; what is no tombstone is removed. */
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import { TOMBSTONE_DIR } from "../paths/paths.ts";
import {
  type LeftTombstone,
  MAX_TOMBSTONE_BYTES,
  parseTombstone,
  TOMBSTONE_NAME,
  tombstoneFileName,
} from "../rpc/tombstone.ts";

/** A note that is still being written has a name that begins with a dot; one of this age never will be finished. */
const UNFINISHED_MS = 60_000;

export interface TombstoneDir {
  /** @returns the tombstones, the oldest first */
  list(): LeftTombstone[];
  /** Removes a tombstone once its DEL is done; one that is missing is fine, and one that a later DEL has replaced meanwhile stays. */
  remove(tombstone: LeftTombstone): void;
}

/** @param options where the tombstones are; default: their fixed directory. Made, mode 0700, when it is missing */
export function openTombstoneDir(
  { directory = TOMBSTONE_DIR, clock, logger }: { directory?: string; clock: Clock; logger: Logger },
): TombstoneDir {
  Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  return {
    list: () => {
      const names = Array.from(Deno.readDirSync(directory), ({ name }) => name);
      return names.map((name) => readOrRemove({ directory, name, now: clock.wall(), logger }))
        .filter((tombstone) => tombstone !== undefined)
        .sort((a, b) => a.at - b.at);
    },
    remove: ({ containerId, ifname, at }) => {
      const name = tombstoneFileName(containerId, ifname);
      if (isThere(directory, { name, at })) removeFile(`${directory}/${name}`);
    },
  };
}

function readOrRemove(
  { directory, name, now, logger }: { directory: string; name: string; now: number; logger: Logger },
): LeftTombstone | undefined {
  const path = `${directory}/${name}`;
  try {
    const tombstone = read(path, name);
    if (tombstone !== undefined || isUnfinished(path, { name, now })) return tombstone;
    removeFile(path);
    logger.warn("removed what is no tombstone", { path });
  } catch (error) {
    logger.warn("cannot read a tombstone", { path, error: error instanceof Error ? error.message : String(error) });
  }
  return undefined;
}

function read(path: string, name: string): LeftTombstone | undefined {
  const { isFile, size } = Deno.lstatSync(path);
  if (!TOMBSTONE_NAME.test(name) || !isFile || size > MAX_TOMBSTONE_BYTES) return undefined;
  const tombstone = parseTombstone(Deno.readTextFileSync(path));
  const named = tombstone && tombstoneFileName(tombstone.containerId, tombstone.ifname) === name;
  return named ? tombstone : undefined;
}

function isThere(directory: string, { name, at }: { name: string; at: number }): boolean {
  try {
    return read(`${directory}/${name}`, name)?.at === at;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function isUnfinished(path: string, { name, now }: { name: string; now: number }): boolean {
  const writtenAt = Deno.lstatSync(path).mtime?.getTime() ?? 0;
  return name.startsWith(".") && Math.abs(now - writtenAt) < UNFINISHED_MS;
}

function removeFile(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
