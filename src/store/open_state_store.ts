/**
 * Durable state in one file (spec section 4). Ours is the file at the given path, and beside it `NAME.prev`, the write before the last,
 * `.NAME.tmp-*` and `NAME.corrupt-*`.
 */
import type { Clock } from "../clock/clock.ts";
import { quote } from "../fault/invalid_input.ts";
import type { Logger } from "../log/logger.ts";
import { STATE_FILE } from "../paths/paths.ts";
import { expectOwn, type LoadedState, loadState, previousOf } from "./load_state.ts";
import { removeLeftovers, replaceFile, splitPath } from "./replace_file.ts";
import { type State, type StateOrigin, type StateStore, StateWriteFailed } from "./state.ts";
import { renderStateDocument, type StateDocument } from "./state_document.ts";
import type { StateFiles } from "./state_files.ts";

export interface StateStoreOptions {
  /** Default: the fixed path of the state file. */
  readonly path?: string;
  readonly files: StateFiles;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Names the present boot; allocations of another one are void. */
  readonly bootId: string;
  /** A file that names another node is set aside. */
  readonly nodeName: string;
}

/**
 * Reads the state file, or makes do without one; writes nothing yet. One process at a time may have it open.
 *
 * @throws StateVersionUnknown when a newer release wrote the file, which is left as it is; Error when file or directory is a link,
 *   somebody else's or not readable
 */
export async function openStateStore(options: StateStoreOptions): Promise<StateStore> {
  const { path = STATE_FILE, files, logger } = options;
  await files.makeDirectory(splitPath(path).directory);
  await expectOwn(files, { path: splitPath(path).directory, kind: "directory" });
  try {
    for (const leftover of await removeLeftovers(files, path)) logger.info("removed an unfinished write", { leftover });
  } catch (error) {
    logger.warn("cannot remove unfinished writes", { error: messageOf(error) });
  }
  return new FileStateStore({ ...options, path }, await loadState({ ...options, path }));
}

interface Waiter {
  resolve(): void;
  reject(error: StateWriteFailed): void;
}

class FileStateStore implements StateStore {
  readonly origin: StateOrigin;
  readonly #options: StateStoreOptions & { path: string };
  #document: StateDocument;
  /** The state on disk; undefined when it is not known, or not wanted. */
  #saved: State | undefined;
  #waiting: Waiter[] = [];
  #writing = false;

  constructor(options: StateStoreOptions & { path: string }, { origin, document }: LoadedState) {
    this.origin = origin;
    this.#options = options;
    this.#document = document;
    this.#saved = origin.found === "loaded" ? document.state : undefined;
  }

  current(): State {
    return this.#document.state;
  }

  update(change: (state: State) => State): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#document = { ...this.#document, state: change(this.#document.state) };
      this.#waiting.push({ resolve, reject });
      if (!this.#writing) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    // Updates of the same turn of the event loop share the first write already.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const sharing = this.#waiting.splice(0);
      const failure = await this.#write();
      for (const { resolve, reject } of sharing) failure === undefined ? resolve() : reject(failure);
    }
    this.#writing = false;
  }

  async #write(): Promise<StateWriteFailed | undefined> {
    if (this.#document.state === this.#saved) return undefined;
    this.#document = { ...this.#document, generation: this.#document.generation + 1 };
    const { files, path } = this.#options;
    const { state } = this.#document;
    try {
      this.#saved = undefined;
      await replaceFile(files, {
        path,
        content: renderStateDocument(this.#document),
        previous: previousOf(path),
      });
      this.#saved = state;
      return undefined;
    } catch (cause) {
      return new StateWriteFailed(`Cannot write state file ${quote(path)}: ${messageOf(cause)}`, { cause });
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
