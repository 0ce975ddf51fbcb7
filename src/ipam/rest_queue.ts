import type { Address } from "../ip/address.ts";

/** A freed address that is kept back for a while. */
export interface Rest {
  readonly address: Address;
  /** Wall clock, milliseconds since the epoch. */
  readonly freedAt: number;
  /** Monotonic clock, milliseconds: when the rest is over. */
  readonly until: number;
}

/** Resting addresses, the longest free first. */
export class RestQueue {
  readonly #byAddress = new Map<string, Rest>();
  /** By `until`. */
  readonly #queue: Rest[] = [];

  has(address: Address): boolean {
    return this.#byAddress.has(address.text);
  }

  /** Lets an address rest; it must not be resting already. Almost always the last in the queue, so its place is sought from there. */
  add(rest: Rest): void {
    let place = this.#queue.length;
    while (place > 0 && (this.#queue[place - 1]?.until ?? -Infinity) > rest.until) place--;
    this.#queue.splice(place, 0, rest);
    this.#byAddress.set(rest.address.text, rest);
  }

  /** @returns the rest that thereby ended early, if there was one */
  remove(address: Address): Rest | undefined {
    const rest = this.#byAddress.get(address.text);
    if (rest === undefined) return undefined;
    this.#byAddress.delete(address.text);
    this.#queue.splice(this.#queue.indexOf(rest), 1);
    return rest;
  }

  /** Removes the rests that are over. @returns their addresses */
  takeExpired(now: number): readonly Address[] {
    const stillResting = this.#queue.findIndex((rest) => rest.until > now);
    const expired = this.#queue.splice(0, stillResting === -1 ? this.#queue.length : stillResting);
    for (const { address } of expired) this.#byAddress.delete(address.text);
    return expired.map(({ address }) => address);
  }

  /** @returns the address that has rested longest of those that suit */
  longestFree(suits: (address: Address) => boolean): Address | undefined {
    return this.#queue.find(({ address }) => suits(address))?.address;
  }

  list(): readonly Rest[] {
    return [...this.#queue];
  }
}
