import { credibleAge } from "../clock/credible_age.ts";
import type { Clock } from "../clock/clock.ts";

/** How long a deletion is remembered, so that an ADD that started before it undoes itself. Longer than any ADD may take. */
export const TOMBSTONE_MS = 300_000;

/** When attachments were deleted, by the monotonic clock: a wall clock that jumps neither forgets a deletion nor makes it newer. */
export class DeletionMemory {
  /** container id/ifname -> monotonic milliseconds */
  readonly #deletedAt = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  /** @param at wall clock, milliseconds since the epoch */
  note(key: string, at: number): void {
    const now = this.clock.monotonic();
    for (const [old, since] of this.#deletedAt) if (now - since >= TOMBSTONE_MS) this.#deletedAt.delete(old);
    const since = now - credibleAge(at, this.clock.wall());
    this.#deletedAt.set(key, Math.max(since, this.#deletedAt.get(key) ?? since));
  }

  /** Says of several at once whether they are remembered: one look at the clock, for each write of the state asks of all. */
  remembered(): (key: string) => boolean {
    const now = this.clock.monotonic();
    return (key) => now - (this.#deletedAt.get(key) ?? -Infinity) < TOMBSTONE_MS;
  }

  /** @returns monotonic milliseconds; undefined when it was not deleted, or long ago */
  deletedAt(key: string): number | undefined {
    const since = this.#deletedAt.get(key);
    return since === undefined || this.clock.monotonic() - since >= TOMBSTONE_MS ? undefined : since;
  }
}
