import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";

/** Why a pass runs: start-up, a watch, a timer, a NodeConfig change. The log says which. */
export type Tick = string;

/**
 * One coalescing loop: ticks that arrive while a pass runs make one more pass together, and none is lost. A pass computes from
 * current state only; a failing one is logged and tried again by the next tick.
 */
export class ReconcileLoop {
  readonly #pending = new Set<Tick>();
  #running: Promise<void> | undefined;
  #stopped = false;

  /**
   * @param pass one level-triggered pass; gets the ticks that led to it
   * @param options `name` appears in the log; after a failed pass the loop rings itself again in `retryMs`
   */
  constructor(
    private readonly pass: (ticks: readonly Tick[]) => Promise<void>,
    private readonly options: { name: string; retryMs: number; clock: Clock; logger: Logger },
  ) {}

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
    try {
      await this.pass(ticks);
    } catch (error) {
      this.#failed(error, ticks);
    }
  }

  #failed(error: unknown, ticks: readonly Tick[]): void {
    const { name, retryMs, clock, logger } = this.options;
    if (!this.#stopped) void clock.sleep(retryMs).then(() => this.ring("retry")); // first: whatever becomes of the log line
    logger.error("reconcile failed", { loop: name, ticks, error: String(error) });
  }
}
