/** Where flock's ids start ("FL" and two octets); zebra and the kernel count from 1. */
const FIRST = 0x464c_0000;
const COUNT = 0x1_0000;

/** Gives out ids for nexthop objects: none that is known to be taken, and one that was given back as late as possible. */
export class NexthopIds {
  #taken: ReadonlySet<number> = new Set();
  #next = FIRST;

  /** @param taken all that the kernel has, whoever's */
  setTaken(taken: ReadonlySet<number>): void {
    this.#taken = taken;
  }

  /** @throws when all are taken */
  take(): number {
    for (let tries = 0; tries < COUNT; tries++) {
      const id = this.#next;
      this.#next = FIRST + (id + 1 - FIRST) % COUNT;
      if (!this.#taken.has(id)) return id;
    }
    throw new Error("Cannot make a nexthop: all ids are taken");
  }
}
