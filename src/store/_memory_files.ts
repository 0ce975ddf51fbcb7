import type { StateFiles } from "./state_files.ts";

/** A disk in memory for tests: it can be full or read-only. Held to the same contract as the real one. */
export class MemoryFiles implements StateFiles {
  readonly entries = new Map<string, Uint8Array<ArrayBuffer> | "directory">();
  /** What every write says while set: ENOSPC, EROFS. */
  refusal: string | undefined;

  inspect(path: string): ReturnType<StateFiles["inspect"]> {
    const entry = this.entries.get(path);
    if (entry === undefined) return Promise.resolve(undefined);
    const kind = entry === "directory" ? "directory" : "file";
    return Promise.resolve({ kind, own: true, bytes: entry === "directory" ? 0 : entry.length, modifiedAt: 0 });
  }

  // deno-lint-ignore require-await -- the contract's failures are rejections
  async makeDirectory(path: string): Promise<void> {
    if (this.entries.get(path) === "directory") return;
    this.#expectWritable(path);
    this.entries.set(path, "directory");
  }

  list(directory: string): Promise<readonly string[]> {
    const paths = [...this.entries.keys()].filter((path) => path.startsWith(`${directory}/`));
    return Promise.resolve(paths.map((path) => path.slice(directory.length + 1)));
  }

  // deno-lint-ignore require-await -- as above
  async read(path: string): Promise<Uint8Array<ArrayBuffer>> {
    return this.#expectFile(path).slice();
  }

  // deno-lint-ignore require-await -- as above
  async create(path: string, content: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.entries.has(path)) throw new Deno.errors.AlreadyExists(path);
    if (this.refusal !== "EROFS") this.entries.set(path, content.slice(0, this.refusal === undefined ? undefined : 10));
    this.#expectWritable(path);
  }

  // deno-lint-ignore require-await -- as above
  async link(path: string, second: string): Promise<void> {
    if (!this.entries.has(path)) return;
    this.#expectWritable(second);
    this.entries.set(second, this.#expectFile(path));
  }

  // deno-lint-ignore require-await -- as above
  async rename(from: string, to: string): Promise<void> {
    if (this.refusal === "EROFS") this.#expectWritable(from);
    this.entries.set(to, this.#expectFile(from));
    this.entries.delete(from);
  }

  syncDirectory(): Promise<void> {
    return Promise.resolve();
  }

  // deno-lint-ignore require-await -- as above
  async remove(path: string): Promise<void> {
    if (this.refusal === "EROFS" && this.entries.has(path)) this.#expectWritable(path);
    this.entries.delete(path);
  }

  #expectWritable(path: string): void {
    const { refusal: code } = this;
    if (code !== undefined) throw Object.assign(new Error(`${code}: ${path}`), { code });
  }

  #expectFile(path: string): Uint8Array<ArrayBuffer> {
    const entry = this.entries.get(path);
    if (entry === undefined || entry === "directory") throw new Deno.errors.NotFound(path);
    return entry;
  }
}
