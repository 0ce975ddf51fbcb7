import type { Clock } from "../clock/clock.ts";
import { Throttle, type ThrottleOptions } from "./throttle.ts";

/** How long something has to look wrong, in milliseconds: a change of our own may have ended before its messages were read. */
const CONFIRM_MS = 150;

export interface TwiceSeenOptions<T> extends ThrottleOptions {
  readonly clock: Clock;
  /** What looks wrong at the moment. */
  suspects(): readonly T[];
  /** Whether it would be wrong if it stayed so; what does not count is judged again. Default: everything counts. */
  counts?(suspect: T): boolean;
  /** One and the same thing looked wrong twice. */
  confirmed(): void;
}

/** Judges suspicions, soon after they arise: only what looks wrong twice is. */
export class TwiceSeen<T> {
  readonly #judgement: Throttle;

  constructor(private readonly options: TwiceSeenOptions<T>) {
    this.#judgement = new Throttle(() => void this.#judge().catch(() => {}), options); // rejects only when it is aborted
  }

  /** Something may look wrong. */
  ring(): void {
    this.#judgement.ring();
  }

  async #judge(): Promise<void> {
    const { clock, signal, suspects, counts = () => true, confirmed } = this.options;
    const before = new Set(suspects());
    if (before.size === 0) return;
    await clock.sleep(CONFIRM_MS, signal);
    const now = suspects();
    if (now.some((each) => counts(each) && before.has(each))) confirmed();
    else if (now.length > 0) this.#judgement.ring();
  }
}
