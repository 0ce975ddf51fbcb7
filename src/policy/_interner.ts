/** Most kinds that are known at a time. */
const MAX_KINDS = 2048;

/**
 * Shares one object among equal ones: ten thousand pods of a few Deployments have a few maps of labels. Where every pod
 * is of a kind of its own, it costs nothing for each: when too many kinds came, all are forgotten, and those that come
 * again are shared again.
 */
export class Interner<T extends object> {
  readonly #known = new Map<string, T>();

  /** @param text equal for equal objects, and for no others. @param make the object, when it is not known */
  share(text: string, make: () => T): T {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_KINDS) this.#known.clear();
    const made = make();
    this.#known.set(text, made);
    return made;
  }
}
