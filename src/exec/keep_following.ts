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
  /** After so many lines the process is started anew: one that remembers what it has seen grows. */
  readonly maxLines: number;
  /** Gets each line. Must not throw. */
  hear(line: string): void;
  /** The process listens by now, perhaps again; what happened before was not heard. Called twice for each start. Must not throw. */
  listening(): void;
}

/** A process says nothing about when it begins to listen: it takes some 5 ms, and on a loaded machine nobody knows how long. */
const SETTLE_MS = [300, 3000];
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
    const state = await liveOnce(options);
    if (signal.aborted) return;
    if (clock.monotonic() - began >= SHORT_LIFE_MS) wait = FIRST_WAIT_MS;
    logger.warn("monitor ended, starting it anew", { argv, state, waitMs: wait });
    await clock.sleep(wait, signal).catch(() => {});
    wait = Math.min(2 * wait, LAST_WAIT_MS);
  }
}

/** @returns how it ended */
async function liveOnce({ source, argv, clock, signal, ...options }: KeepFollowingOptions): Promise<string> {
  const life = new AbortController();
  const end = AbortSignal.any([signal, life.signal]);
  let lines = 0;
  const hear = (line: string): void => {
    options.hear(line);
    if (++lines === options.maxLines) life.abort();
  };
  for (const ms of SETTLE_MS) clock.sleep(ms, end).then(() => options.listening(), () => {});
  try {
    return await source.follow(argv, { signal: end, hear });
  } catch (error) {
    return String(error);
  } finally {
    life.abort();
  }
}
