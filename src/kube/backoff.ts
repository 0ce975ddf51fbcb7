/** Waiting times of an exponential back-off with full jitter ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015). */

/** The first ceiling, and never less than a tenth of it. */
const FIRST_MS = 200;
/**
 * The last ceiling. 20 s and not the usual 30: a server that comes back right after an attempt was given up must be
 * found again within 30 s (T-API-02), and the attempt itself may take some, too.
 */
const LAST_MS = 20_000;

export interface Backoff {
  /** @returns milliseconds to wait before the next attempt: random, below a ceiling that doubles with each call */
  next(): number;
  /** The attempt worked: start again with the first ceiling. */
  reset(): void;
}

/** @param random uniform in [0, 1) */
export function createBackoff(random: () => number): Backoff {
  let ceiling = FIRST_MS;
  return {
    next(): number {
      const wait = Math.max(FIRST_MS / 10, random() * ceiling);
      ceiling = Math.min(LAST_MS, ceiling * 2);
      return wait;
    },
    reset(): void {
      ceiling = FIRST_MS;
    },
  };
}
