import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import { splitPath } from "./replace_file.ts";
import type { StateFiles } from "./state_files.ts";

/** So many damaged files stay, as evidence: a disk or somebody that damages one a day must not fill the disk. */
const KEPT = 10;

export interface SetAsideOptions {
  readonly path: string;
  readonly files: StateFiles;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Gives a damaged file another name, and removes the oldest of those that were given one before. Where the disk refuses even that, the
 * file stays until the next write replaces it: starting matters more than keeping evidence.
 *
 * @returns where it is now. Never throws
 */
export async function setAside(options: SetAsideOptions): Promise<string> {
  const { files, path, clock, logger } = options;
  const asideAs = `${path}.corrupt-${clock.wall()}`;
  try {
    await files.rename(path, asideAs);
  } catch (error) {
    logger.warn("cannot set the damaged state file aside", { path, error: String(error) });
    return path;
  }
  try {
    for (const old of await oldOnes(options, asideAs)) await files.remove(old);
  } catch (error) {
    logger.warn("cannot remove old damaged state files", { path, error: String(error) });
  }
  return asideAs;
}

/** Whatever the wall clock says, the newest is the one that was just set aside. */
async function oldOnes({ files, path }: SetAsideOptions, newest: string): Promise<string[]> {
  const { directory, name } = splitPath(path);
  const prefix = `${name}.corrupt-`;
  const timeOf = (entry: string): number => Number(entry.slice(prefix.length));
  const others = (await files.list(directory)).filter((entry) =>
    entry.startsWith(prefix) && /^\d+$/.test(entry.slice(prefix.length)) && `${directory}/${entry}` !== newest
  );
  return others.sort((a, b) => timeOf(b) - timeOf(a)).slice(KEPT - 1).map((entry) => `${directory}/${entry}`);
}
