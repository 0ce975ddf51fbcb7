import type { Clock } from "../../src/clock/clock.ts";

interface Sleeper {
  readonly until: number;
  wake(): void;
}

/** A clock that stands still until the schedule moves it. */
export class ModelClock implements Clock {
  #monotonic = 1_000;
  #wall = 1_790_000_000_000;
  readonly #sleepers = new Set<Sleeper>();
  /** Nobody wakes before. */
  #first = Infinity;
  /** How often somebody set the wall clock. */
  steps = 0;

  monotonic = (): number => this.#monotonic;
  wall = (): number => this.#wall;

  sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const sleeper = { until: this.#monotonic + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      this.#first = Math.min(this.#first, sleeper.until);
      signal?.addEventListener("abort", () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      }, { once: true });
    });

  /** Time passes, for both clocks. */
  pass(ms: number): void {
    this.#monotonic += ms;
    this.#wall += ms;
    if (this.#monotonic < this.#first) return;
    for (const sleeper of [...this.#sleepers].sort((a, b) => a.until - b.until)) {
      if (sleeper.until > this.#monotonic) break;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
    this.#first = Math.min(Infinity, ...Array.from(this.#sleepers, ({ until }) => until));
  }

  /** Somebody sets the wall clock. */
  stepWall(ms: number): void {
    this.steps++;
    this.#wall += ms;
  }

  /** Whoever slept is dead. */
  forgetSleepers(): void {
    this.#sleepers.clear();
  }
}
