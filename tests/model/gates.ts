/** One thing that somebody is about to do to the world, and waits to be allowed to. */
export interface Waiting {
  readonly what: string;
  /** Does it. @returns when it is done, well or not */
  go(): Promise<void>;
  /** Lets it fail with nothing done. */
  refuse(error: Error): void;
}

interface Parked extends Waiting {
  readonly lane: string | undefined;
  /** Does it, for nobody: whoever wanted it is dead. */
  happen(): void;
}

/**
 * Where everything that a process does to the world waits, until the schedule says which goes next, which fails, and at which the
 * process dies. Between two of them nothing but microtasks runs, so that a schedule means the same at every replay.
 */
export class Gates {
  readonly #parked: Parked[] = [];
  #closed = false;
  /** Grows with everything that happens here. */
  activity = 0;

  /**
   * Waits to be allowed, then does it.
   *
   * @param options calls of one lane go in the order in which they came, as through one pipe
   * @returns what the effect returns; never, once the process is dead
   */
  pass<T>(what: string, effect: () => T | Promise<T>, options: { lane?: string } = {}): Promise<T> {
    this.activity++;
    if (this.#closed) return new Promise(() => {});
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.activity++;
        this.#parked.splice(this.#parked.indexOf(parked), 1);
      };
      const parked: Parked = {
        ...{ what, lane: options.lane },
        go: async () => {
          try {
            const result = await effect();
            if (!this.#closed) resolve(result);
          } catch (error) {
            if (!this.#closed) reject(error);
          }
          leave();
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
        happen: () => void Promise.resolve().then(effect).catch(() => {}),
      };
      this.#parked.push(parked);
    });
  }

  /** What may go next: all that waits, but of a lane only the first. */
  get next(): readonly Waiting[] {
    const lanes = new Set<string>();
    return this.#parked.filter(({ lane }) => {
      if (lane === undefined) return true;
      const first = !lanes.has(lane);
      lanes.add(lane);
      return first;
    });
  }

  /** The process dies. Of what it was about to do, that happens whose bit is set: the kernel had it already, or not yet. */
  close(happened: number): void {
    const next = this.next;
    this.#closed = true;
    this.#parked.splice(0).filter((each) => next.includes(each)).forEach((each, index) => {
      if ((happened >> (index % 16)) & 1) each.happen();
    });
  }
}

/** More than any chain of promises between two gates is long. */
const HOPS = 60;

/** Lets the microtasks run until nothing happens at the gates any more. */
export async function settled(...gates: readonly Gates[]): Promise<void> {
  const activity = (): number => gates.reduce((sum, gate) => sum + gate.activity, 0);
  let before = -1;
  while (before !== activity()) {
    before = activity();
    for (let hop = 0; hop < HOPS; hop++) await undefined;
  }
}
