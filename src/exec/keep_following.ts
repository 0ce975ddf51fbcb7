import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { Argv, LineSource } from "./command_runner.ts";

export interface KeepFollowingOptions {
  readonly source: LineSource;
  readonly argv: Argv;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends it for good. */
  readonly signal: AbortSignal;
  /** After so many lines another process takes over: one that remembers what it has seen grows. Nothing goes unheard meanwhile. */
  readonly maxLines: number;
  /** Gets each line. Must not throw. */
  hear(line: string): void;
  /**
   * The process listens by now, perhaps again; what happened before was not heard. Called twice for each start, but not
   * where one process took over from another. Must not throw.
   */
  listening(): void;
}

/** A process says nothing about when it begins to listen: it takes some 5 ms, and on a loaded machine nobody knows how long. */
const SETTLE_MS = 300;
const SETTLE_AGAIN_MS = 3000;
/** A line may be read so much later from one process than from another. */
const APART_MS = 500;
/** The wait before a new start: the first, and the longest; it doubles with each life that was short. */
const FIRST_WAIT_MS = 100;
const LAST_WAIT_MS = 10_000;
const SHORT_LIFE_MS = 60_000;

/** Keeps a process running that prints what happens, until the signal is aborted. Resolves when it is reaped; never rejects. */
export async function keepFollowing(options: KeepFollowingOptions): Promise<void> {
  const { argv, clock, logger, signal } = options;
  let wait = FIRST_WAIT_MS;
  while (!signal.aborted) {
    const began = clock.monotonic();
    const state = await followInTurn(options);
    if (signal.aborted) return;
    if (clock.monotonic() - began >= SHORT_LIFE_MS) wait = FIRST_WAIT_MS;
    logger.warn("monitor ended, starting it anew", { argv, state, waitMs: wait });
    await clock.sleep(wait, signal).catch(() => {});
    wait = Math.min(2 * wait, LAST_WAIT_MS);
  }
}

/**
 * One process after the other, each heard until the next one surely listens, so that nobody has to look for what was
 * not heard: with a thousand policies a look at their table takes a second, in which no event is served.
 *
 * @returns how the first ended that was not to end
 */
async function followInTurn(options: KeepFollowingOptions): Promise<string> {
  let life = new Life(options);
  life.beHeard();
  for (;;) {
    const state = await Promise.race([life.ended, life.worn]);
    if (state !== undefined) return state;
    const next = new Life(options);
    const broken = await Promise.race([next.settledAgain, next.ended, life.ended]);
    if (broken === undefined) next.takeOver();
    else next.beHeard();
    await life.end();
    life = next;
  }
}

/** One process, unheard until it is said to be. */
class Life {
  /** How it ended. */
  readonly ended: Promise<string>;
  /** Resolves when it was heard for long enough. */
  readonly worn: Promise<undefined>;
  /** Resolves when it listens, and when it has for a while; never when it ends before. */
  readonly settled: Promise<undefined>;
  readonly settledAgain: Promise<undefined>;
  readonly #wear = Promise.withResolvers<undefined>();
  readonly #end = new AbortController();
  #lines = 0;
  #heard = false;
  /** What was printed of late, while nobody heard it; at, in monotonic milliseconds. */
  #recent: { readonly line: string; readonly at: number }[] = [];

  constructor(private readonly options: KeepFollowingOptions) {
    this.worn = this.#wear.promise;
    const signal = AbortSignal.any([options.signal, this.#end.signal]);
    [this.settled, this.settledAgain] = [this.#pass(SETTLE_MS, signal), this.#pass(SETTLE_AGAIN_MS, signal)];
    this.ended = this.#follow(signal);
  }

  /** From now on. Says that it listens once it does, which may be at once. */
  beHeard(): void {
    this.#heard = true;
    for (const settled of [this.settled, this.settledAgain]) void settled.then(() => this.options.listening());
  }

  /**
   * Is heard from now on instead of another, which has been heard until now: and so, perhaps for the second time, is
   * what the other may have printed and nobody has read yet.
   */
  takeOver(): void {
    this.#heard = true;
    const since = this.options.clock.monotonic() - APART_MS;
    for (const { line, at } of this.#recent.splice(0)) if (at >= since) this.#hear(line);
  }

  /** Is heard no more. Resolves when it is reaped. */
  async end(): Promise<void> {
    this.#heard = false;
    this.#end.abort();
    await this.ended;
  }

  async #follow(signal: AbortSignal): Promise<string> {
    const { source, argv } = this.options;
    try {
      return await source.follow(argv, { signal, hear: (line) => this.#hear(line) });
    } catch (error) {
      return String(error);
    } finally {
      this.#end.abort();
    }
  }

  /** Never resolves when the signal is aborted before. */
  #pass(ms: number, signal: AbortSignal): Promise<undefined> {
    return new Promise((resolve) => {
      this.options.clock.sleep(ms, signal).then(() => resolve(undefined), () => {});
    });
  }

  #hear(line: string): void {
    if (!this.#heard) return this.#remember(line);
    this.options.hear(line);
    if (++this.#lines === this.options.maxLines) this.#wear.resolve(undefined);
  }

  #remember(line: string): void {
    const now = this.options.clock.monotonic();
    this.#recent.push({ line, at: now });
    const [oldest] = this.#recent;
    if (oldest !== undefined && oldest.at < now - 2 * APART_MS) {
      this.#recent = this.#recent.filter(({ at }) => at >= now - APART_MS);
    }
  }
}
