/** What garbage collection owes, and until when. Pure. */

/** An allocation is collected when it is so old and its death has been seen twice (spec section 5), in milliseconds. */
const GRACE_MS = 60_000;
/** One sweep to see the death, one that confirms it, one that may just have passed; and room for a busy machine. */
const SWEEPS_MS = 45_000;

export interface Debtor {
  readonly containerId: string;
  /** All times are of the wall clock, in milliseconds. */
  readonly createdAt: number;
}

export class Debts {
  // container -> since when nothing of it is left but its allocation
  readonly #since = new Map<string, number>();

  /** The container's end is left to garbage collection. Said again, it changes nothing. */
  owe(containerId: string, since: number): void {
    if (!this.#since.has(containerId)) this.#since.set(containerId, since);
  }

  /** How many containers' ends were ever left to it. */
  get size(): number {
    return this.#since.size;
  }

  /** @returns when it must be paid; undefined: nothing is owed. @param agentUpSince for a new agent has seen no death yet */
  dueAt({ containerId, createdAt }: Debtor, agentUpSince: number): number | undefined {
    const since = this.#since.get(containerId);
    if (since === undefined) return undefined;
    return Math.max(createdAt + GRACE_MS, since, agentUpSince) + SWEEPS_MS;
  }

  /** @returns the containers of those that may still be there */
  unpaid(debtors: readonly Debtor[], { agentUpSince, now }: { agentUpSince: number; now: number }): Set<string> {
    const waiting = debtors.filter((debtor) => now <= (this.dueAt(debtor, agentUpSince) ?? -Infinity));
    return new Set(waiting.map(({ containerId }) => containerId));
  }
}
