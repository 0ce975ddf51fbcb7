import { checkName } from "./sysctl_tree.ts";

/** A node's pods have 12 of them each; with more, or where the process may not open so many, the rest is opened for each reading. */
const MAX_HELD = 4096;
/** Longer than any number is. */
const LONGEST_VALUE = 64;

/**
 * Reads the same sysctls again and again, at a sixth of what opening them each time costs: their files stay open. One that belongs to
 * a link which has gone tells so by itself, and is looked for anew by its name.
 */
export class HeldSysctls {
  // name -> its file, for those that were read since the last `letGo`, and those that were not
  #fresh = new Map<string, Deno.FsFile>();
  #stale = new Map<string, Deno.FsFile>();
  #room = MAX_HELD;
  readonly #buffer = new Uint8Array(LONGEST_VALUE);
  readonly #decoder = new TextDecoder();

  /** @param root where `/proc/sys/net` can be opened */
  constructor(private readonly root: string) {}

  /**
   * @param name below net/, with slashes
   * @returns the value without its newline, or undefined when this kernel, or this link, has no such sysctl
   * @throws when the kernel refuses
   */
  read(name: string): string | undefined {
    const held = this.#take(name);
    if (held !== undefined) {
      const value = this.#readHeld(name, held);
      if (value !== undefined) return value;
    }
    return this.#readAnew(name);
  }

  /** Closes what was not read since the last call. */
  letGo(): void {
    for (const file of this.#stale.values()) file.close();
    [this.#stale, this.#fresh] = [this.#fresh, new Map()];
  }

  /** Closes everything. */
  close(): void {
    this.letGo();
    this.letGo();
  }

  #take(name: string): Deno.FsFile | undefined {
    const fresh = this.#fresh.get(name);
    if (fresh !== undefined) return fresh;
    const stale = this.#stale.get(name);
    if (stale === undefined) return undefined;
    this.#stale.delete(name);
    this.#fresh.set(name, stale);
    return stale;
  }

  /** @returns undefined when it is held no more, since its link is gone: the one of that name by now is another */
  #readHeld(name: string, file: Deno.FsFile): string | undefined {
    try {
      file.seekSync(0, Deno.SeekMode.Start);
      return this.#readValue(file);
    } catch {
      this.#fresh.delete(name);
      file.close();
      return undefined;
    }
  }

  #readAnew(name: string): string | undefined {
    const file = this.#open(name);
    if (file === undefined) return undefined;
    try {
      const value = this.#readValue(file);
      if (this.#fresh.size + this.#stale.size < this.#room) {
        this.#fresh.set(name, file);
        return value;
      }
      file.close();
      return value;
    } catch (error) {
      file.close();
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  /** Where no file can be opened any more, none is held any more either: others need them more. */
  #open(name: string): Deno.FsFile | undefined {
    const path = `${this.root}/${checkName(name)}`;
    try {
      return Deno.openSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      if (this.#room === 0) throw error;
      this.#room = 0;
      this.close();
      return this.#open(name);
    }
  }

  #readValue(file: Deno.FsFile): string {
    const length = file.readSync(this.#buffer) ?? 0;
    return this.#decoder.decode(this.#buffer.subarray(0, length)).trimEnd();
  }
}
