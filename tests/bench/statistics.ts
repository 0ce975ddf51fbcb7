/** @returns the middle of the samples, in any order; the mean of the two middle ones of an even number. @throws when there are none */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.slice(Math.floor((sorted.length - 1) / 2), Math.floor(sorted.length / 2) + 1);
  if (middle.length === 0) throw new Error("Cannot take the median: there are no samples");
  return middle.reduce((sum, sample) => sum + sample, 0) / middle.length;
}

/** @param share from 0 to 1. @returns the smallest sample that so many of all do not exceed. @throws when there are none */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const found = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (found === undefined) throw new Error("Cannot take a quantile: there are no samples");
  return found;
}

/** Samples by the name of what they are of. */
export class SampleBook {
  readonly #samples = new Map<string, number[]>();

  add(name: string, sample: number): void {
    const samples = this.#samples.get(name);
    if (samples === undefined) this.#samples.set(name, [sample]);
    else samples.push(sample);
  }

  /** @returns the median of all samples of that name. @throws when there are none */
  p50(name: string): number {
    return median(this.#all(name));
  }

  /** @param share from 0 to 1; 1 is the worst. @returns what so many of the samples do not exceed. @throws when there are none */
  quantile(name: string, share: number): number {
    return quantile(this.#all(name), share);
  }

  #all(name: string): readonly number[] {
    const samples = this.#samples.get(name);
    if (samples === undefined) throw new Error(`Cannot tell ${name}: it was not measured`);
    return samples;
  }
}

/** @returns the items in an order that `random` decides, which is as Math.random */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items.map((item) => ({ item, place: random() })).sort((a, b) => a.place - b.place).map(({ item }) => item);
}
