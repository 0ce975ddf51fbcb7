/** Durable state in one file (spec section 4). Ours is the file at the given path, and `.NAME.tmp-*` and `NAME.corrupt-*` beside it. */
import type { Clock } from "../clock/clock.ts";
import { quote } from "../fault/invalid_input.ts";
import type { Logger } from "../log/logger.ts";
import { STATE_FILE } from "../paths/paths.ts";
import { type RestingAddress, type State, type StateOrigin, type StateStore, StateWriteFailed } from "./state.ts";
import { StateDamaged } from "./state_damaged.ts";
import { parseStateDocument, renderStateDocument, type StateDocument } from "./state_document.ts";
import type { StateFiles } from "./state_files.ts";
import { removeLeftovers, replaceFile, splitPath } from "./replace_file.ts";

/** Beyond this a state file is none of flock's: 250 allocations take 100 KB. */
const MAX_STATE_BYTES = 32 << 20;

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
  return new FileStateStore({ ...options, path }, await load({ ...options, path }));
}

/** What opening found; `state` is what is on disk unless the origin says that it is not. */
interface Loaded {
  readonly origin: StateOrigin;
  readonly document: StateDocument;
}

async function load(options: StateStoreOptions & { path: string }): Promise<Loaded> {
  const { files, path, bootId, nodeName, clock } = options;
  const empty = { bootId, nodeName, generation: 0, state: EMPTY, unknownFields: {} };
  const facts = await expectOwn(files, { path, kind: "file" });
  if (facts === undefined) return { origin: { found: "absent" }, document: empty };
  try {
    const document = await readDocument(options, facts.bytes);
    if (document.bootId === bootId) return { origin: { found: "loaded" }, document };
    const state = voidAllocations(document.state, clock.wall());
    return { origin: { found: "otherBoot" }, document: { ...document, bootId, state } };
  } catch (error) {
    if (!(error instanceof StateDamaged)) throw error;
    const asideAs = await setAside(options);
    return { origin: { found: "damaged", reason: error.message, asideAs }, document: empty };
  }
}

async function readDocument(
  { files, path, nodeName }: { files: StateFiles; path: string; nodeName: string },
  bytes: number,
): Promise<StateDocument> {
  if (bytes > MAX_STATE_BYTES) throw new StateDamaged(`the file is larger than ${MAX_STATE_BYTES} bytes`);
  const document = parseStateDocument(await files.read(path));
  if (document.nodeName === nodeName) return document;
  throw new StateDamaged(`the file is of node ${quote(document.nodeName)}, this is ${quote(nodeName)}`);
}

/** Where the disk refuses even the rename, the file stays until the next write replaces it: starting matters more than keeping evidence. */
async function setAside(options: StateStoreOptions & { path: string }): Promise<string> {
  const { files, path, clock, logger } = options;
  const asideAs = `${path}.corrupt-${clock.wall()}`;
  try {
    await files.rename(path, asideAs);
    return asideAs;
  } catch (error) {
    logger.warn("cannot set the damaged state file aside", { path, error: messageOf(error) });
    return path;
  }
}

const EMPTY: State = { allocations: new Map(), resting: [], tombstones: [], cursors: new Map() };

/** Peers may still have connections to the addresses of the boot before, so these rest like freed ones; containers are gone for good. */
function voidAllocations({ allocations, resting, cursors }: State, now: number): State {
  const freed = [...allocations.values()].flatMap(({ ipv6, ipv4 }) => [ipv6, ipv4])
    .filter((address) => address !== undefined)
    .map((address): RestingAddress => ({ address, freedAt: now }));
  const fresh = new Set(freed.map(({ address }) => address));
  return { ...EMPTY, resting: [...resting.filter(({ address }) => !fresh.has(address)), ...freed], cursors };
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

  constructor(options: StateStoreOptions & { path: string }, { origin, document }: Loaded) {
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
      await replaceFile(files, { path, content: renderStateDocument(this.#document) });
      this.#saved = state;
      return undefined;
    } catch (cause) {
      return new StateWriteFailed(`Cannot write state file ${quote(path)}: ${messageOf(cause)}`, { cause });
    }
  }
}

async function expectOwn(
  files: StateFiles,
  { path, kind }: { path: string; kind: "file" | "directory" },
): Promise<{ bytes: number } | undefined> {
  const facts = await files.inspect(path);
  if (facts === undefined) return undefined;
  if (facts.kind !== kind) throw new Error(`Cannot use state ${kind} ${quote(path)}: it is a ${facts.kind}`);
  if (!facts.own) throw new Error(`Cannot use state ${kind} ${quote(path)}: it belongs to another user`);
  return facts;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
