/** Who has and who had which address, as pods were told. Pure. */

/** A freed address rests so long, in milliseconds (spec section 4). */
const REST_MS = 30_000;

export class AddressBook {
  // address -> container
  readonly #holders = new Map<string, string>();
  // address -> when its deletion was first asked for
  readonly #freedAt = new Map<string, number>();

  /**
   * A container was given addresses; the answer came `at`, in milliseconds.
   *
   * @returns what must not be: an address of a live container, or one that cannot have rested. Its release was not asked for before
   *   it was noted, and it was given before the answer, so that no slowness of ours makes it look younger than it is
   */
  born(container: string, { addresses, at }: { addresses: readonly string[]; at: number }): string[] {
    const wrongs = addresses.flatMap((address) => {
      const holder = this.#holders.get(address);
      if (holder !== undefined && holder !== container) return [`${container} got ${address}, which ${holder} has`];
      const age = at - (this.#freedAt.get(address) ?? -Infinity);
      return age < REST_MS ? [`${container} got ${address}, which was freed at most ${Math.round(age)} ms before`] : [];
    });
    for (const address of addresses) this.#holders.set(address, container);
    return wrongs;
  }

  /** The deletion of a container is asked for, perhaps not for the first time. */
  dying(container: string, at: number): void {
    for (const [address, holder] of this.#holders) {
      if (holder !== container) continue;
      this.#holders.delete(address);
      this.#freedAt.set(address, at);
    }
  }
}
