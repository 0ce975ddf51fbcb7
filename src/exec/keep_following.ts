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
  /** The process listens by now, perhaps again; what happened before was not heard. Called twice for each start. Must not throw. */
  listening(): void;
}

/** A process says nothing about when it begins to listen: it takes some 5 ms, and on a loaded machine nobody knows how long. */
const SETTLE_MS = 300;
const SETTLE_AGAIN_MS = 3000;
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

/** One process after the other, each heard until the next one listens. @returns how the first ended that was not to end */
async function followInTurn(options: KeepFollowingOptions): Promise<string> {
  let life = new Life(options);
  life.beHeard();
  for (;;) {
    const state = await Promise.race([life.ended, life.worn]);
    if (state !== undefined) return state;
    const next = new Life(options);
    await Promise.race([next.settled, next.ended, life.ended]);
    next.beHeard();
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
  /** Resolves when it listens; never when it ends before. */
  readonly settled: Promise<void>;
  readonly #wear = Promise.withResolvers<undefined>();
  readonly #settle = Promise.withResolvers<void>();
  readonly #end = new AbortController();
  #lines = 0;
  #heard = false;

  constructor(private readonly options: KeepFollowingOptions) {
    this.worn = this.#wear.promise;
    this.settled = this.#settle.promise;
    this.ended = this.#follow(AbortSignal.any([options.signal, this.#end.signal]));
  }

  /** From now on. Says that it listens once it does, which may be at once. */
  beHeard(): void {
    this.#heard = true;
    void this.settled.then(() => this.options.listening());
  }

  /** Resolves when it is reaped. */
  async end(): Promise<void> {
    this.#end.abort();
    await this.ended;
  }

  async #follow(signal: AbortSignal): Promise<string> {
    const { source, argv, clock } = this.options;
    clock.sleep(SETTLE_MS, signal).then(() => this.#settle.resolve(), () => {});
    clock.sleep(SETTLE_AGAIN_MS, signal).then(() => this.options.listening(), () => {});
    try {
      return await source.follow(argv, { signal, hear: (line) => this.#hear(line) });
    } catch (error) {
      return String(error);
    } finally {
      this.#end.abort();
    }
  }

  #hear(line: string): void {
    if (!this.#heard) return;
    this.options.hear(line);
    if (++this.#lines === this.options.maxLines) this.#wear.resolve(undefined);
  }
}
