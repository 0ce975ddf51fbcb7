import type { Clock } from "../clock/clock.ts";
import { credibleAge } from "../clock/credible_age.ts";
import { type Allocation, allocationKey } from "../ipam/allocation.ts";

type Container = Parameters<typeof allocationKey>[0];

/** Since when allocations are recorded. All ages are in milliseconds, by the monotonic clock. */
export class AllocationAges {
  // allocation's key -> monotonic time at which it was recorded
  readonly #createdAt = new Map<string, number>();
  // allocation's key -> monotonic time at which its ADD's plugin started; of this life's only
  readonly #startedAt = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  /** Takes up an allocation of an earlier life, which was dated by the wall clock. */
  restore(allocation: Allocation): void {
    const age = credibleAge(allocation.createdAt, this.clock.wall());
    this.#createdAt.set(allocationKey(allocation), this.clock.monotonic() - age);
  }

  /** Takes up one that is made now. @param startedAt when its ADD's plugin started, monotonic milliseconds */
  begin(container: Container, startedAt: number): void {
    this.#createdAt.set(allocationKey(container), this.clock.monotonic());
    this.#startedAt.set(allocationKey(container), startedAt);
  }

  /** Has an allocation that was not known be recorded now; one that was stays as old as it is. */
  note(container: Container): void {
    const key = allocationKey(container);
    if (!this.#createdAt.has(key)) this.#createdAt.set(key, this.clock.monotonic());
  }

  forget(container: Container): void {
    for (const times of [this.#createdAt, this.#startedAt]) times.delete(allocationKey(container));
  }

  /** @returns how long ago it was recorded, whatever was done to the wall clock; 0 for one that is not */
  ageOf(container: Container): number {
    const now = this.clock.monotonic();
    return now - (this.#createdAt.get(allocationKey(container)) ?? now);
  }

  /**
   * @returns how long ago the plugin of its ADD started, as far as that is known: it goes by what the plugin said of the
   *   wall clock, so it may tell which call was the earlier, and nothing is freed for it
   */
  sinceStart(container: Container): number {
    const startedAt = this.#startedAt.get(allocationKey(container));
    return startedAt === undefined ? this.ageOf(container) : this.clock.monotonic() - startedAt;
  }
}
