/** A clock that a test moves. */
import type { Clock } from "../../src/clock/clock.ts";

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** Stands still until it is moved; nothing that only sleeps on it takes real time. */
export class HandClock implements Clock {
  #now = 0;
  readonly #sleepers = new Set<Sleeper>();

  monotonic = (): number => this.#now;
  wall = (): number => this.#now;

  sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const sleeper = { at: this.#now + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      }, { once: true });
    });

  /** Moves on, waking each sleeper at its time and in order; whoever was woken has run until it sleeps or waits for the world. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.at);
      this.#sleepers.delete(next);
      next.wake();
      await settle();
    }
    this.#now = end;
  }

  #next(end: number): Sleeper | undefined {
    const due = [...this.#sleepers].filter(({ at }) => at <= end);
    return due.toSorted((a, b) => a.at - b.at)[0];
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
