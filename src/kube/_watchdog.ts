import type { Clock } from "../clock/clock.ts";

/** Cuts what has been silent for too long. */
export interface Watchdog {
  /** Falls after the silence, or with the outer signal. */
  readonly signal: AbortSignal;
  /** There was a sign of life: the silence starts anew, and may from now on last `silenceMs`, if named. */
  feed(silenceMs?: number): void;
  /** It is over; nothing falls any more. */
  end(): void;
}

export interface WatchdogOptions {
  readonly silenceMs: number;
  /** @returns the message of the signal's reason */
  reason(silenceMs: number): string;
  readonly outer: AbortSignal;
}

/** One sleep per silence, not one timer per byte. Never fed, it is a deadline. */
export function startWatchdog(clock: Clock, { silenceMs, reason, outer }: WatchdogOptions): Watchdog {
  const cut = new AbortController();
  const over = new AbortController();
  let [last, allowed] = [clock.monotonic(), silenceMs];
  const guard = async (): Promise<void> => {
    for (let left = allowed; left > 0; left = last + allowed - clock.monotonic()) {
      await clock.sleep(left, over.signal);
    }
    cut.abort(new Error(reason(allowed)));
  };
  guard().catch(() => undefined);
  // Not AbortSignal.any: the outer signal lives as long as the agent and would keep every signal derived from it.
  const fall = (): void => cut.abort(outer.reason);
  if (outer.aborted) fall();
  outer.addEventListener("abort", fall, { once: true });
  return {
    signal: cut.signal,
    feed: (from = allowed): void => {
      [last, allowed] = [clock.monotonic(), from];
    },
    end: (): void => {
      outer.removeEventListener("abort", fall);
      over.abort();
    },
  };
}
