/**
 * Keeps one object of each kind of equal ones, for as long as somebody holds it: ten thousand pods of a few Deployments share a few maps of labels.
 */
export class Interner<T extends object> {
  readonly #known = new Map<string, WeakRef<T>>();
  readonly #forgotten = new FinalizationRegistry<string>((text) => {
    // One that was made anew since stays.
    if (this.#known.get(text)?.deref() === undefined) this.#known.delete(text);
  });

  /** @param text equal for equal objects, and for no others. @param make the object, when nobody holds one */
  share(text: string, make: () => T): T {
    const known = this.#known.get(text)?.deref();
    if (known !== undefined) return known;
    const made = make();
    this.#known.set(text, new WeakRef(made));
    this.#forgotten.register(made, text);
    return made;
  }

  /** How many are known; those that nobody holds any more are forgotten in time. */
  get size(): number {
    return this.#known.size;
  }
}
