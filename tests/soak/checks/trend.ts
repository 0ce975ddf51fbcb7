/** Whether a process takes more with every round and gives nothing back. Pure. */

/** Rounds in which a process may still grow into its work. */
const WARM_UP = 3;
/** Over so many looks after that, one for each round. */
const SPAN = 8;
/**
 * What a process may vary by, in all of these rounds: by what agents did in half-hour soaks, between five pods and forty. One with an API
 * server that does not answer holds up to five sockets more.
 */
const PLAY: Readonly<Record<string, number>> = { fds: 5, threads: 3, children: 2, residentMiB: 12 };

export class Trend {
  // process -> what it took, look by look
  readonly #looks = new Map<string, Readonly<Record<string, number>>[]>();

  /**
   * One look at a quiet moment, once in a round.
   *
   * @param process one and the same for as long as it lives, another one for its successor
   * @returns what never fell from look to look and came to more than it may vary by, and what is for good above what it was first
   */
  add(process: string, use: Readonly<Record<string, number>>): string[] {
    const looks = [...this.#looks.get(process) ?? [], use];
    this.#looks.set(process, looks);
    const warm = looks.slice(WARM_UP);
    if (warm.length < SPAN) return [];
    const valuesOf = (name: string): number[] => warm.flatMap((look) => look[name] ?? []);
    const names = Object.keys(PLAY);
    const rising = names.filter((name) => rises(valuesOf(name).slice(-SPAN), PLAY[name] ?? 0));
    const risen = names.filter((name) => isAbove(valuesOf(name), PLAY[name] ?? 0));
    return [
      ...rising.map((name) => `${process}: ${name} only ever rises`),
      ...risen.map((name) => `${process}: ${name} has risen for good`),
    ];
  }

  /** process -> what it took, look by look: for who wants to see more than the verdict */
  get looks(): Readonly<Record<string, readonly Readonly<Record<string, number>>[]>> {
    return Object.fromEntries(this.#looks);
  }
}

/** One step is no trend: it must have risen in half of the rounds. */
function rises(values: readonly number[], play: number): boolean {
  const steps = values.slice(1).map((value, index) => value - (values[index] ?? value));
  const up = steps.filter((step) => step > 0).length;
  const total = (values.at(-1) ?? 0) - (values[0] ?? 0);
  return steps.every((step) => step >= 0) && up * 2 >= steps.length && total > play;
}

/** Slow leaks, which fall now and then: at its lowest of late it is above its highest of the beginning. */
function isAbove(values: readonly number[], play: number): boolean {
  if (values.length < 2 * SPAN) return false;
  return Math.min(...values.slice(-SPAN)) > Math.max(...values.slice(0, SPAN)) + play;
}
