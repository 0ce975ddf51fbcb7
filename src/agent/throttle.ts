import type { Clock } from "../clock/clock.ts";

export interface ThrottleOptions {
  /** From the first ring to the act, in milliseconds, so that a burst is one act. */
  readonly delayMs: number;
  /** Between two acts, at least, in milliseconds. */
  readonly everyMs: number;
  readonly clock: Clock;
  /** Nothing acts any more once it is aborted. */
  readonly signal: AbortSignal;
}

/** Makes one act of many rings: soon after the first one, and not too often. No ring is lost. */
export class Throttle {
  #waiting = false;
  #last = -Infinity;

  /** @param act must not throw */
  constructor(private readonly act: () => void, private readonly options: ThrottleOptions) {}

  ring(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    const { delayMs, everyMs, clock, signal } = this.options;
    const wait = Math.max(delayMs, this.#last + everyMs - clock.monotonic());
    clock.sleep(wait, signal).then(() => this.#act(), () => {});
  }

  #act(): void {
    this.#waiting = false;
    this.#last = this.options.clock.monotonic();
    this.act();
  }
}
