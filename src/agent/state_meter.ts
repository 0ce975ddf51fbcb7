import type { Clock } from "../clock/clock.ts";
import type { Observer } from "../prometheus/metric_registry.ts";
import type { State, StateStore } from "../store/state.ts";

/** Measures how long durable updates take that change anything, and remembers whether the last one was refused: a decorator of the store. */
export class StateMeter implements StateStore {
  #failures = 0;
  #lastFailure: string | undefined;

  /** @param deps `took` has no labels */
  constructor(
    private readonly store: StateStore,
    private readonly deps: { readonly took: Observer; readonly clock: Pick<Clock, "monotonic"> },
  ) {}

  /** How many updates the disk has refused since the start. */
  get failures(): number {
    return this.#failures;
  }

  /** Why the last update is not on the disk; undefined: it is. */
  get lastFailure(): string | undefined {
    return this.#lastFailure;
  }

  get origin(): StateStore["origin"] {
    return this.store.origin;
  }

  current(): State {
    return this.store.current();
  }

  async update(change: (state: State) => State): Promise<void> {
    const { took, clock } = this.deps;
    const startedAt = clock.monotonic();
    let isNews = false;
    try {
      await this.store.update((state) => {
        const next = change(state);
        isNews = next !== state;
        return next;
      });
      this.#lastFailure = undefined;
      if (isNews) took.observe({}, (clock.monotonic() - startedAt) / 1000);
    } catch (error) {
      this.#failures++;
      this.#lastFailure = String(error);
      throw error;
    }
  }
}
