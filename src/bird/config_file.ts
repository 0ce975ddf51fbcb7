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

  /** @returns the text in place; undefined when there is none */
  async read(): Promise<string | undefined> {
    try {
      return await Deno.readTextFile(this.path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  /** Writes the text beside the file, durably. Readable by owner and group: BIRD may run as a user of its own. */
  async stage(text: string): Promise<void> {
    using file = await Deno.open(this.staged, { write: true, create: true, truncate: true, mode: 0o640 });
    const writer = file.writable.getWriter();
    await writer.write(new TextEncoder().encode(text));
    writer.releaseLock();
    await file.sync();
  }

  /** Puts the staged text in place, durably. */
  async commit(): Promise<void> {
    await Deno.rename(this.staged, this.path);
    using directory = await Deno.open(this.#directory);
    await directory.sync();
  }

  /** Puts an earlier text in place again; undefined: the file goes. */
  async restore(text: string | undefined): Promise<void> {
    if (text === undefined) return await Deno.remove(this.path);
    await this.stage(text);
    await this.commit();
  }

  /** Forgets the staged text. */
  async discard(): Promise<void> {
    await Deno.remove(this.staged);
  }
}
