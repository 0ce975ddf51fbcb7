/** What there is of the state at start: the file, else the one before it, else nothing. */
import type { Clock } from "../clock/clock.ts";
import { quote } from "../fault/invalid_input.ts";
import type { Logger } from "../log/logger.ts";
import { type RestingAddress, type State, type StateOrigin, StateVersionUnknown } from "./state.ts";
import { setAside } from "./set_aside.ts";
import { StateDamaged } from "./state_damaged.ts";
import { parseStateDocument, type StateDocument } from "./state_document.ts";
import type { StateFiles } from "./state_files.ts";

/** Beyond this a state file is none of flock's: 250 allocations take 100 KB. */
const MAX_STATE_BYTES = 32 << 20;

export interface LoadStateOptions {
  readonly path: string;
  readonly files: StateFiles;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly bootId: string;
  readonly nodeName: string;
}

/** What opening found; `state` is what is on disk unless the origin says that it is not. */
export interface LoadedState {
  readonly origin: StateOrigin;
  readonly document: StateDocument;
}

/**
 * Reads the state file. A damaged one is set aside, and the write before the last takes its place; nothing is written.
 *
 * @throws as openStateStore does
 */
export async function loadState(options: LoadStateOptions): Promise<LoadedState> {
  const { path } = options;
  const last = await read(options);
  if (last instanceof StateDamaged) {
    const asideAs = await setAside(options);
    const { document, rebuiltFrom } = await loadPrevious(options);
    return { origin: { found: "damaged", reason: last.message, asideAs, rebuiltFrom }, document };
  }
  if (last !== undefined) return ofThisBoot(last, options);
  const { document, rebuiltFrom } = await loadPrevious(options);
  if (rebuiltFrom === "nothing") return { origin: { found: "absent" }, document };
  return { origin: { found: "damaged", reason: `${quote(path)} is gone`, rebuiltFrom }, document };
}

function ofThisBoot(document: StateDocument, { bootId, clock }: LoadStateOptions): LoadedState {
  if (document.bootId === bootId) return { origin: { found: "loaded" }, document };
  const state = voidAllocations(document.state, clock.wall());
  return { origin: { found: "otherBoot" }, document: { ...document, bootId, state } };
}

async function loadPrevious(
  options: LoadStateOptions,
): Promise<{ document: StateDocument; rebuiltFrom: "previous" | "nothing" }> {
  const { bootId, nodeName, path } = options;
  const previous = await read({ ...options, path: previousOf(path) });
  if (previous instanceof StateDamaged || previous === undefined) {
    const document = { bootId, nodeName, generation: 0, state: EMPTY, unknownFields: {} };
    return { document, rebuiltFrom: "nothing" };
  }
  return { document: ofThisBoot(previous, options).document, rebuiltFrom: "previous" };
}

/** @returns what the file says, what is wrong with it, or undefined when there is none. @throws StateVersionUnknown */
async function read(
  { files, path, nodeName }: LoadStateOptions,
): Promise<StateDocument | StateDamaged | undefined> {
  const facts = await expectOwn(files, { path, kind: "file" });
  if (facts === undefined) return undefined;
  if (facts.bytes > MAX_STATE_BYTES) return new StateDamaged(`the file is larger than ${MAX_STATE_BYTES} bytes`);
  try {
    const document = parseStateDocument(await files.read(path));
    if (document.nodeName === nodeName) return document;
    return new StateDamaged(`the file is of node ${quote(document.nodeName)}, this is ${quote(nodeName)}`);
  } catch (error) {
    if (error instanceof StateDamaged) return error;
    if (!(error instanceof StateVersionUnknown)) throw error;
    const advice = "it is left as it is: start the release that wrote it, or a newer one";
    throw new StateVersionUnknown(`Cannot use state file ${quote(path)}: ${error.message}; ${advice}`, {
      cause: error,
    });
  }
}

/** @returns where the write before the last stays */
export function previousOf(path: string): string {
  return `${path}.prev`;
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

/** @returns how large it is; undefined when it is missing. @throws when it is something else, or somebody else's */
export async function expectOwn(
  files: StateFiles,
  { path, kind }: { path: string; kind: "file" | "directory" },
): Promise<{ bytes: number } | undefined> {
  const facts = await files.inspect(path);
  if (facts === undefined) return undefined;
  if (facts.kind !== kind) throw new Error(`Cannot use state ${kind} ${quote(path)}: it is a ${facts.kind}`);
  if (!facts.own) throw new Error(`Cannot use state ${kind} ${quote(path)}: it belongs to another user`);
  return facts;
}
