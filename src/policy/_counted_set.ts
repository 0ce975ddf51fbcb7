import { describeSet } from "./describe.ts";
import type { SetSource } from "./set_source.ts";

/**
 * A set of the table with what made it so. Two pods may have one address for a moment: one that is finished, and the
 * one that got its address (NP-42). An element stays as long as somebody adds it.
 */
export class CountedSet {
  readonly elements = new Set<string>();
  // element -> how many add it besides the first
  readonly #more = new Map<string, number>();
  /** Chains that name it. */
  readonly users = new Set<string>();

  #description: string | undefined;

  constructor(readonly source: SetSource) {}

  /** What people call it. Thousands are asked for at a time, again and again. */
  get description(): string {
    return this.#description ??= describeSet(this.source);
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
