import { MemoryFiles } from "../../src/store/_memory_files.ts";
import type { StateFiles } from "../../src/store/state_files.ts";
import type { Gates } from "./gates.ts";

/** A disk in memory that outlives processes, and forgets at a power cut what was not synced. */
export class VolatileDisk {
  readonly files = new MemoryFiles();
  #synced = new Map(this.files.entries);

  /** @param failed is told of each write that fails */
  constructor(private readonly failed: () => void) {}

  /** @returns the disk as one process uses it: each write waits for its turn, and may fail there */
  openThrough(gates: Gates): StateFiles {
    const { files } = this;
    const write = <T>(what: string, effect: () => Promise<T>): Promise<T> =>
      gates.pass(what, effect).catch((error) => {
        this.failed();
        throw error;
      });
    return {
      inspect: (path) => files.inspect(path),
      list: (directory) => files.list(directory),
      read: (path) => files.read(path),
      makeDirectory: (path) => files.makeDirectory(path),
      create: (path, content) => write("disk: create", () => files.create(path, content)),
      link: (path, second) => write("disk: link", () => files.link(path, second)),
      rename: (from, to) => write("disk: rename", () => files.rename(from, to)),
      syncDirectory: () =>
        write("disk: sync", () => {
          this.writeBack();
          return Promise.resolve();
        }),
      remove: (path) => write("disk: remove", () => files.remove(path)),
    };
  }

  /** Time enough for the machine to write everything by itself, as between two agents. */
  writeBack(): void {
    this.#synced = new Map(this.files.entries);
  }

  /** Full, read-only, or neither. */
  refuse(refusal: "ENOSPC" | "EROFS" | undefined): void {
    this.files.refusal = refusal;
  }

  /** @returns what a power cut would leave of a file */
  synced(path: string): Uint8Array<ArrayBuffer> | undefined {
    const entry = this.#synced.get(path);
    return entry === "directory" ? undefined : entry;
  }

  /** @returns what the next process reads of a file */
  visible(path: string): Uint8Array<ArrayBuffer> | undefined {
    const entry = this.files.entries.get(path);
    return entry === "directory" ? undefined : entry;
  }

  /** @param kept whether the disk had written what nobody had asked it to sync */
  cutPower(kept: boolean): void {
    if (!kept) {
      this.files.entries.clear();
      for (const [path, entry] of this.#synced) this.files.entries.set(path, entry);
    }
    this.writeBack();
  }
}
