import { intersect, type Span, spanSize } from "./usable_span.ts";

/**
 * A set of addresses of one family, kept as sorted runs that neither overlap nor touch. The next address outside the set is found by one
 * binary search, however full a /16 is; a map of single addresses would be walked one by one for each ADD on a full node.
 */
export class AddressRuns {
  readonly #runs: { first: bigint; last: bigint }[] = [];

  has(value: bigint): boolean {
    const run = this.#runs[this.#indexUpTo(value)];
    return run !== undefined && value <= run.last;
  }

  /** Adds one address; one that is there already is fine. */
  add(value: bigint): void {
    if (this.has(value)) return;
    const index = this.#indexUpTo(value);
    const [left, right] = [this.#runs[index], this.#runs[index + 1]];
    const joinsLeft = left?.last === value - 1n;
    const joinsRight = right?.first === value + 1n;
    const first = joinsLeft ? left.first : value;
    const last = joinsRight ? right.last : value;
    this.#runs.splice(joinsLeft ? index : index + 1, Number(joinsLeft) + Number(joinsRight), { first, last });
  }

  /** Removes one address; one that is missing is fine. */
  remove(value: bigint): void {
    const index = this.#indexUpTo(value);
    const run = this.#runs[index];
    if (run === undefined || value > run.last) return;
    const parts = [{ first: run.first, last: value - 1n }, { first: value + 1n, last: run.last }];
    this.#runs.splice(index, 1, ...parts.filter((part) => part.first <= part.last));
  }

  /** @returns the lowest address of the span that is not in the set */
  firstOutside({ first, last }: Span): bigint | undefined {
    const run = this.#runs[this.#indexUpTo(first)];
    const candidate = run !== undefined && first <= run.last ? run.last + 1n : first;
    return candidate <= last ? candidate : undefined;
  }

  /** @returns how many addresses of the span are in the set */
  countWithin(span: Span): bigint {
    let count = 0n;
    for (let i = Math.max(0, this.#indexUpTo(span.first)); i < this.#runs.length; i++) {
      const run = this.#runs[i];
      if (run === undefined || run.first > span.last) break;
      count += spanSize(intersect(run, span));
    }
    return count;
  }

  /** @returns the index of the last run that starts at or below the value, or -1 */
  #indexUpTo(value: bigint): number {
    let [low, high] = [0, this.#runs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const run = this.#runs[middle];
      if (run !== undefined && run.first <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
