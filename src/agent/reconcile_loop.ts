import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";

/** Why a pass runs: start-up, a watch, a timer, a NodeConfig change. The log says which. */
export type Tick = string;

/** The loop's own: what failed is to be tried again. */
export const RETRY: Tick = "retry";

/** Longest wait for a retry, in milliseconds. */
const LONGEST_RETRY_MS = 60_000;

/** What failed at the last tries, and after how long the next one comes. */
interface Failure {
  readonly messages: ReadonlySet<string>;
  readonly waitMs: number;
}

/** How a loop is doing. */
export interface LoopState {
  readonly name: string;
  /** How long the pass that runs has been running, in milliseconds; 0 when none does. */
  readonly busyMs: number;
  /** Whether something failed and has not been made good. */
  readonly failing: boolean;
  /** Passes since the start that ended, and those of them that failed. */
  readonly passes: number;
  readonly failures: number;
}

/**
 * One coalescing loop: ticks that arrive while a pass runs make one more pass together, and none is lost. A pass computes from
 * current state only. One that fails is tried again, at ever longer intervals while it fails in the same way, and logged when it
 * fails in another: what fails for good must neither fill the log nor keep the node busy.
 */
export class ReconcileLoop {
  readonly #pending = new Set<Tick>();
  #running: Promise<void> | undefined;
  /** Undefined again once a retry went well. */
  #failure: Failure | undefined;
  /** Ends the wait for the next retry; there is never more than one. */
  #wait: AbortController | undefined;
  #stopped = false;
  #passSince: number | undefined;
  #passes = 0;
  #failures = 0;

  /**
   * @param pass one level-triggered pass; gets the ticks that led to it
   * @param options `name` appears in the log; after a failed pass the loop rings itself again in `retryMs`, then in twice that, and
   *   so on up to a minute
   */
  constructor(
    private readonly pass: (ticks: readonly Tick[]) => Promise<void>,
    private readonly options: { name: string; retryMs: number; clock: Clock; logger: Logger },
  ) {}

  get state(): LoopState {
    const { name, clock } = this.options;
    const busyMs = this.#passSince === undefined ? 0 : clock.monotonic() - this.#passSince;
    return { name, busyMs, failing: this.#failure !== undefined, passes: this.#passes, failures: this.#failures };
  }

  /** Asks for a pass soon. Never blocks, never throws. */
  ring(tick: Tick): void {
    if (this.#stopped) return;
    this.#pending.add(tick);
    // Only what #failed throws is dropped here: a rejection that nobody awaits would end the agent.
    this.#running ??= this.#run().catch(() => {});
  }

  /** Rings at a fixed interval until the signal is aborted. */
  async ringEvery(ms: number, { tick, signal }: { tick: Tick; signal: AbortSignal }): Promise<void> {
    while (await this.options.clock.sleep(ms, signal).then(() => true, () => false)) this.ring(tick);
  }

  /** Waits for the pass that is running, and those already asked for. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** No pass starts any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wait?.abort();
    this.#pending.clear();
    await this.settled();
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // ticks rung in the same turn belong to the same pass
    try {
      while (this.#pending.size > 0) await this.#passOnce();
    } finally {
      this.#running = undefined; // in the same turn as the last look at #pending: no tick can fall between
    }
  }

  async #passOnce(): Promise<void> {
    const ticks = [...this.#pending];
    this.#pending.clear();
    this.#passSince = this.options.clock.monotonic();
    try {
      await this.pass(ticks);
      if (ticks.includes(RETRY)) this.#recovered();
    } catch (error) {
      this.#failures++;
      this.#failed(error, ticks);
    } finally {
      this.#passes++;
      this.#passSince = undefined;
    }
  }

  #recovered(): void {
    if (this.#failure === undefined) return;
    this.#failure = undefined;
    this.options.logger.info("reconciled again", { loop: this.options.name });
  }

  /** Passes are of different parts: what one of them tells is news only if it was not told before the last retry. */
  #failed(error: unknown, ticks: readonly Tick[]): void {
    const { name, retryMs, logger } = this.options;
    const [known, messages] = [this.#failure?.messages ?? new Set<string>(), messagesOf(error)];
    const isRetry = ticks.includes(RETRY);
    const isNews = !messages.isSubsetOf(known);
    const waitMs = isNews ? retryMs : this.#failure?.waitMs ?? retryMs;
    this.#failure = { messages: isRetry ? messages : messages.union(known), waitMs };
    if (isNews || isRetry) this.#retryIn(waitMs); // first: whatever becomes of the log line
    if (isNews) logger.error("reconcile failed", { loop: name, ticks, error: String(error) });
  }

  #retryIn(ms: number): void {
    if (this.#stopped) return;
    this.#wait?.abort();
    this.#wait = new AbortController();
    this.options.clock.sleep(ms, this.#wait.signal).then(() => this.#retry(ms), () => {});
  }

  #retry(waited: number): void {
    if (this.#failure !== undefined) {
      this.#failure = { ...this.#failure, waitMs: Math.min(2 * waited, LONGEST_RETRY_MS) };
    }
    this.ring(RETRY);
  }
}

/** What failed, one message each. */
function messagesOf(error: unknown): Set<string> {
  if (!(error instanceof AggregateError)) return new Set([String(error)]);
  return new Set(error.errors.flatMap((each) => [...messagesOf(each)]));
}
