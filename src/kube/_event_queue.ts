import type { KubeEvent } from "./kube_client.ts";

const QUEUE_LIMIT = 100;

/** An Event that waits to be written, once for all that made it. */
export interface PendingEvent {
  /** The newest of them. */
  readonly event: KubeEvent;
  /** Not to be written before, monotonic milliseconds. */
  readonly dueAt: number;
  /** Wall clock, milliseconds since the epoch. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** How often it happened since it was last written. */
  readonly times: number;
}

/** Events by their path, in the order in which they came; the oldest goes when there are too many. */
export class EventQueue {
  #waiting = new Map<string, PendingEvent>();

  get size(): number {
    return this.#waiting.size;
  }

  /** @param at wall clock. @param dueAt monotonic; counts for one of a path that waits for nothing yet */
  add(path: string, { event, at, dueAt }: { event: KubeEvent; at: number; dueAt: number }): void {
    const waiting = this.#waiting.get(path);
    if (waiting !== undefined) {
      this.#waiting.set(path, { ...waiting, event, lastAt: at, times: waiting.times + 1 });
      return;
    }
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size >= QUEUE_LIMIT && oldest !== undefined) this.#waiting.delete(oldest);
    this.#waiting.set(path, { event, dueAt, firstAt: at, lastAt: at, times: 1 });
  }

  /** @returns when the next one is due, monotonic milliseconds; Infinity when none waits */
  get nextDue(): number {
    return Math.min(...Array.from(this.#waiting.values(), ({ dueAt }) => dueAt));
  }

  /** @param now monotonic milliseconds. @returns the oldest that is due, which waits no more */
  takeDue(now: number): [path: string, pending: PendingEvent] | undefined {
    const due = this.#waiting.entries().find(([, { dueAt }]) => dueAt <= now);
    if (due !== undefined) this.#waiting.delete(due[0]);
    return due;
  }

  /** Before all others, together with what has come meanwhile. */
  putBack(path: string, pending: PendingEvent): void {
    const newer = this.#waiting.get(path);
    this.#waiting.delete(path);
    const { firstAt, times, dueAt } = pending;
    const both = newer === undefined ? pending : { ...newer, dueAt, firstAt, times: times + newer.times };
    this.#waiting = new Map([[path, both], ...this.#waiting]);
  }
}
