import type { Allocation } from "../ipam/allocation.ts";

/** An address that was freed a short while ago and rests before it is given out again. */
export interface RestingAddress {
  /** Canonical text. */
  readonly address: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly freedAt: number;
}

/** A container that was deleted before its ADD was done: a late ADD for it must undo itself. */
export interface Tombstone {
  readonly containerId: string;
  readonly ifname: string;
  /** Wall clock, milliseconds since the epoch, after which it is forgotten. */
  readonly until: number;
}

/** The agent's durable state: all that must survive a crash. */
export interface State {
  /** container id/ifname -> allocation */
  readonly allocations: ReadonlyMap<string, Allocation>;
  readonly resting: readonly RestingAddress[];
  readonly tombstones: readonly Tombstone[];
  /** node CIDR (text) -> last IPv4 address given out, so that addresses are not reused at once after a restart */
  readonly cursors: ReadonlyMap<string, string>;
}

/** What opening the state file found. */
export type StateOrigin =
  | { readonly found: "loaded" }
  /** No file: a first start. */
  | { readonly found: "absent" }
  /**
   * The file was unreadable, another node's or gone, and was set aside under `asideAs` (its own path when the disk refused even that).
   * What there is now is of the write before the last, or nothing: the kernel knows better.
   */
  | {
    readonly found: "damaged";
    readonly reason: string;
    readonly asideAs?: string;
    readonly rebuiltFrom: "previous" | "nothing";
  }
  /**
   * The file is of an earlier boot: its allocations and tombstones are void, their addresses rest from now on, its cursors and resting
   * addresses are kept. Said at each start until the first write.
   */
  | { readonly found: "otherBoot" };

/** Durable state with one writer. Reads are from memory; a write resolves when it is on the disk. */
export interface StateStore {
  readonly origin: StateOrigin;
  /** The state with all updates so far, those not yet on disk included. */
  current(): State;
  /**
   * Changes the state in memory at once and on disk soon; one write carries every update made while the one before it was under way.
   * `change` is pure; it gets the state as of now. One that returns it as it is writes only what an earlier failure left unwritten.
   *
   * @returns when the update is on the disk
   * @throws StateWriteFailed when the write failed; the update stays in memory, and the next write carries it. The caller that
   *   cannot live with that applies the inverse.
   */
  update(change: (state: State) => State): Promise<void>;
}

/** The disk refused a write: full, read-only, gone. */
export class StateWriteFailed extends Error {
  override readonly name = "StateWriteFailed";
}

/** The file was written by a newer flock; this one must not touch it. */
export class StateVersionUnknown extends Error {
  override readonly name = "StateVersionUnknown";
}
