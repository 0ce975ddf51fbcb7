import type { Clock } from "../clock/clock.ts";

export interface Pacing<T> {
  readonly clock: Clock;
  /** @returns for how many milliseconds this value must still wait; zero or less: it may go now */
  delayOf(value: T): number;
}

/**
 * Runs the work for one value at a time. A value that comes while an earlier one waits or is worked on takes the place of the one
 * that waits, and their callers share its outcome: all wanted the newest state, and that is what came to be.
 */
export class LastWins<T, R> {
  readonly #work: (value: T) => Promise<R>;
  readonly #pacing: Pacing<T>;
  #waiting: { value: T; outcome: PromiseWithResolvers<R> } | undefined;
  #running = false;

  constructor(work: (value: T) => Promise<R>, pacing: Pacing<T>) {
    this.#work = work;
    this.#pacing = pacing;
  }

  /** @returns what the work returned for this value or for the one that took its place; rejects likewise */
  submit(value: T): Promise<R> {
    const outcome = this.#waiting?.outcome ?? Promise.withResolvers<R>();
    this.#waiting = { value, outcome };
    if (!this.#running) void this.#run();
    return outcome.promise;
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let next = this.#waiting; next !== undefined; next = this.#waiting) {
      const delay = this.#pacing.delayOf(next.value);
      if (delay > 0) {
        await this.#pacing.clock.sleep(delay);
        continue;
      }
      this.#waiting = undefined;
      await this.#work(next.value).then(next.outcome.resolve, next.outcome.reject);
    }
    this.#running = false;
  }
}
