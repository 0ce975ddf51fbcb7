import { type Direction, DIRECTIONS } from "./network_policy.ts";
import type { SetSource } from "./set_source.ts";

/**
 * A set of the table with what made it so. Two pods may have one address for a moment: one that is finished, and the
 * one that got its address (NP-42). An element stays as long as somebody adds it.
 */
export class CountedSet {
  readonly elements = new Set<string>();
  // element -> how many add it besides the first
  readonly #more = new Map<string, number>();
  // chain that names it -> the chain's direction
  readonly users = new Map<string, Direction>();

  constructor(readonly source: SetSource) {}

  /** Directions of the chains that name it. */
  get named(): readonly Direction[] {
    const directions = new Set(this.users.values());
    return DIRECTIONS.filter((direction) => directions.has(direction));
  }

  /** @returns whether the element is new */
  add(element: string): boolean {
    if (!this.elements.has(element)) {
      this.elements.add(element);
      return true;
    }
    this.#more.set(element, (this.#more.get(element) ?? 0) + 1);
    return false;
  }

  /** @returns whether the element is gone. @param element added once more than removed */
  remove(element: string): boolean {
    const more = this.#more.get(element);
    if (more === undefined) return this.elements.delete(element);
    if (more === 1) this.#more.delete(element);
    else this.#more.set(element, more - 1);
    return false;
  }
}
