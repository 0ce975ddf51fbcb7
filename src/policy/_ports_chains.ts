import { portsChainsOf } from "./lay_out_chain.ts";
import { addTo, removeFrom } from "./_pod_index.ts";
import type { PolicyChain } from "./policy_table.ts";

/** The chains of ports that policies' chains jump to, shared by those that name the same ports. */
export class PortsChains {
  // chain of ports -> chains that jump to it
  readonly #users = new Map<string, Set<string>>();
  // chain of ports -> its rules, and whether it was there when the last changes were taken
  readonly #touched = new Map<string, { readonly rules: readonly string[]; readonly was: boolean }>();

  /** Has the chain jump to what it is to jump to now, and no more to what it did. Undefined: there was, or is to be, no chain. */
  move(chain: string, { before, after }: { before: PolicyChain | undefined; after: PolicyChain | undefined }): void {
    for (const [name, rules] of before === undefined ? [] : portsChainsOf(before)) {
      this.#touch(name, rules);
      removeFrom(this.#users, name, chain);
    }
    for (const [name, rules] of after === undefined ? [] : portsChainsOf(after)) {
      this.#touch(name, rules);
      addTo(this.#users, name, chain);
    }
  }

  /** @returns name -> rules: what has come, and names of what has gone, since the last call */
  takeChanges(): { readonly added: ReadonlyMap<string, readonly string[]>; readonly removed: readonly string[] } {
    const touched = [...this.#touched];
    this.#touched.clear();
    return {
      added: new Map(
        touched.flatMap(([name, { rules, was }]) => (!was && this.#users.has(name) ? [[name, rules]] : [])),
      ),
      removed: touched.flatMap(([name, { was }]) => (was && !this.#users.has(name) ? [name] : [])),
    };
  }

  #touch(name: string, rules: readonly string[]): void {
    if (!this.#touched.has(name)) this.#touched.set(name, { rules, was: this.#users.has(name) });
  }
}
