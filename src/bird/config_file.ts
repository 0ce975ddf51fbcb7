import { isLink } from "../file/claim_directory.ts";
import { syncPath, writeNew } from "../file/write_atomically.ts";

const MODE = 0o640;

/**
 * BIRD's configuration file, replaced as a whole: a reader finds the old text or the new one, after a power cut too. One writer.
 */
export class ConfigFile {
  /** The text that waits beside the file, in the same directory so that it can be renamed and so that BIRD may read it. */
  readonly staged: string;
  readonly #directory: string;

  constructor(readonly path: string) {
    const slash = path.lastIndexOf("/");
    this.#directory = path.slice(0, slash);
    this.staged = `${this.#directory}/.${path.slice(slash + 1)}.new`;
  }

  /** @returns the text in place; undefined when there is none, or a link, which the next commit replaces */
  async read(): Promise<string | undefined> {
    return isLink(this.path) ? undefined : await orNone(Deno.readTextFile(this.path));
  }

  /**
   * Writes the text beside the file, where BIRD can read it at once; nobody waits for the disk. Readable by owner and group: BIRD may
   * run as a user of its own.
   */
  async stage(text: string): Promise<void> {
    const write = (): Promise<void> => writeNew(this.staged, { text, mode: MODE });
    await write().catch(async (error: unknown) => {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      await this.discard(); // an earlier run's
      await write();
    });
    await Deno.chmod(this.staged, MODE); // a umask may have taken the group's bit
  }

  /** Puts the staged text in place, durably; what is in place is whole at any moment, after a power cut too. */
  async commit(): Promise<void> {
    await syncPath(this.staged);
    await Deno.rename(this.staged, this.path);
    await syncPath(this.#directory);
  }

  /** Puts an earlier text in place again; undefined: the file goes. */
  async restore(text: string | undefined): Promise<void> {
    if (text === undefined) return await orNone(Deno.remove(this.path));
    await this.stage(text);
    await this.commit();
  }

  /** Forgets the staged text, if there is one. */
  async discard(): Promise<void> {
    await orNone(Deno.remove(this.staged));
  }
}

/** @returns undefined where there is no such file */
async function orNone<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
