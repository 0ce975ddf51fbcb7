import { type TextTable, TransactionRefused } from "../nft/text_table.ts";
import type { PolicyCompiler } from "../policy/policy_compiler.ts";
import { renderPolicyTable } from "../policy/render_policy_table.ts";
import { findOffenders } from "./find_offenders.ts";

/** Says whether nft or the kernel refused; the printer refuses what no compiler makes, by a TypeError. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof TransactionRefused || error instanceof TypeError;
}

/** Keeps apart the policies to which nft or the kernel says no: they isolate what they select, and allow nothing, so that all others go on (NP-61). */
export class PolicyQuarantine {
  // policy -> what was said of it
  readonly #closed = new Map<string, string>();
  #searching = false;

  constructor(
    private readonly compiler: Pick<PolicyCompiler, "setQuarantine" | "table">,
    private readonly table: Pick<TextTable, "refusal">,
  ) {}

  /** Policy -> what was said of it */
  get closed(): ReadonlyMap<string, string> {
    return this.#closed;
  }

  /** While offenders are searched for, the compiler has policies in quarantine that are not: nothing is to be handed to it. */
  get searching(): boolean {
    return this.#searching;
  }

  /** The policy has changed: it may be better now. */
  release(policy: string): void {
    if (this.#closed.delete(policy)) this.compiler.setQuarantine(new Set(this.#closed.keys()));
  }

  /**
   * Closes those because of which the whole table was refused.
   *
   * @param groups to be searched in turns: first where they probably are, last all
   * @returns those that are new; none when nothing is refused any more: memory was short, say, and no policy is to blame. @throws the refusal, when they are in no group; nothing has
   * changed then
   */
  async close(groups: readonly (readonly string[])[], refusal: Error): Promise<readonly string[]> {
    const open = groups.map((group) => group.filter((key) => !this.#closed.has(key)));
    this.#searching = true;
    try {
      if (!await this.#isRefused([], [])) return [];
      const offenders = await this.#search(open);
      for (const key of offenders ?? []) this.#closed.set(key, refusal.message);
      if (offenders === undefined) throw refusal;
      return offenders;
    } finally {
      this.compiler.setQuarantine(new Set(this.#closed.keys()));
      this.#searching = false;
    }
  }

  async #search(groups: readonly (readonly string[])[]): Promise<readonly string[] | undefined> {
    for (const group of groups) {
      const offenders = await this.#offendersAmong(group);
      if (offenders !== undefined) return offenders;
    }
    return undefined;
  }

  /** @returns undefined when it is none of them. Those that are refused only together count as one */
  async #offendersAmong(suspects: readonly string[]): Promise<readonly string[] | undefined> {
    if (suspects.length === 0 || await this.#isRefused([], suspects)) return undefined;
    const found = await findOffenders(suspects, (some) => this.#isRefused(some, suspects));
    return found.length === 0 || await this.#isRefused(suspects.filter((key) => !found.includes(key)), suspects)
      ? suspects
      : found;
  }

  /** Asks only: the kernel's table stays as it is. @param some of the suspects that are not in quarantine while it is asked */
  async #isRefused(some: readonly string[], suspects: readonly string[]): Promise<boolean> {
    const closed = new Set([...this.#closed.keys(), ...suspects]);
    for (const key of some) closed.delete(key);
    this.compiler.setQuarantine(closed);
    try {
      return await this.table.refusal(renderPolicyTable(this.compiler.table)) !== undefined;
    } catch (error) {
      if (isRefusal(error)) return true;
      throw error;
    }
  }
}
