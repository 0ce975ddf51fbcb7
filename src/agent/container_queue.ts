/**
 * One operation at a time per container, in the order of arrival, and never a lock over all (spec section 5). Runtimes do overlap
 * operations on one container: a killed ADD is followed by its DEL before the agent has noticed.
 */
export class ContainerQueue {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Runs the operation after those that came earlier for the same container. @returns what the operation returns */
  async run<T>(containerId: string, operation: () => Promise<T>): Promise<T> {
    const earlier = this.#tails.get(containerId) ?? Promise.resolve();
    const current = earlier.then(operation, operation);
    this.#tails.set(containerId, current);
    try {
      return await current;
    } finally {
      if (this.#tails.get(containerId) === current) this.#tails.delete(containerId);
    }
  }

  /** Whether an operation of this container is running or waiting. */
  busy(containerId: string): boolean {
    return this.#tails.has(containerId);
  }
}
