import type { Logger } from "../log/logger.ts";
import type { TextTable } from "../nft/text_table.ts";
import { explainNames } from "../policy/describe.ts";
import type { PolicyChanges } from "../policy/policy_changes.ts";
import type { PolicyCompiler } from "../policy/policy_compiler.ts";
import { renderPolicyChanges } from "../policy/render_policy_changes.ts";
import { renderPolicyTable } from "../policy/render_policy_table.ts";
import { REPAIRED } from "./journal.ts";
import { isRefusal } from "./policy_quarantine.ts";

/** Differences that are named one by one. */
const MAX_SHOWN = 20;

export interface PolicyTableWriterDependencies {
  readonly compiler: Pick<PolicyCompiler, "takeChanges" | "table" | "describe">;
  readonly table: TextTable;
  readonly logger: Logger;
  /** Has the compiler leave out what the whole table was refused for. @throws the refusal, when nothing is to blame */
  close(refusal: Error): Promise<void>;
}

/** Brings the kernel's table up to what the compiler says: by changes, and where it is not known to be whole, at once. */
export class PolicyTableWriter {
  /** Whether the kernel's table is known to be what the compiler has last said. */
  #whole = false;
  #doubt: "changed" | "look" | undefined;

  constructor(private readonly deps: PolicyTableWriterDependencies) {}

  /** Somebody may have altered the kernel's table. @param options whether that is known, or has to be looked for */
  doubt({ touched }: { touched: boolean }): void {
    if (touched) this.#doubt = "changed";
    else this.#doubt ??= "look";
  }

  /** @returns whether anything was written. @throws what kept the kernel as it was */
  async write(): Promise<boolean> {
    const changes = this.deps.compiler.takeChanges();
    if (this.#whole && changes !== undefined) this.#whole = await this.#change(changes);
    if (this.#whole) this.#whole = await this.#looksRight();
    const replaces = !this.#whole;
    if (replaces) await this.#replace();
    return replaces || changes !== undefined;
  }

  /** @returns false when the kernel did not take it, or nobody knows */
  async #change(changes: PolicyChanges): Promise<boolean> {
    try {
      for (const commands of renderPolicyChanges(changes)) await this.deps.table.change(commands);
      return true;
    } catch (error) {
      this.deps.logger.warn("policies not changed, replacing their table", { error: String(error) });
      return false;
    }
  }

  /** Costs nothing while nobody doubts it. @throws when nobody can tell; it is doubted still */
  async #looksRight(): Promise<boolean> {
    const { compiler, logger } = this.deps;
    const doubt = this.#doubt;
    if (doubt === undefined) return true;
    this.#doubt = undefined;
    try {
      const phrases = doubt === "changed" ? ["the table of the policies, which others changed"] : await this.#drift();
      for (const phrase of phrases.slice(0, MAX_SHOWN)) {
        logger.warn(REPAIRED, { what: explainNames(phrase, (name) => compiler.describe(name)), part: "policies" });
      }
      return phrases.length === 0;
    } catch (error) {
      this.#doubt ??= doubt;
      throw error;
    }
  }

  /** What an ADD or DEL has told the compiler meanwhile is not in the kernel yet, and no difference: it is written first. */
  async #drift(): Promise<readonly string[]> {
    const { compiler, table } = this.deps;
    for (let changes = compiler.takeChanges(); changes !== undefined; changes = compiler.takeChanges()) {
      if (!await this.#change(changes)) return ["the table of the policies, which took no change"];
    }
    const drift = await table.drift(renderPolicyTable(compiler.table));
    return drift ?? ["the table of the policies is gone"];
  }

  async #replace(): Promise<void> {
    try {
      await this.#writeWhole();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await this.deps.close(error);
      await this.#writeWhole();
    }
    this.#whole = true;
  }

  /** Taken and rendered in the same turn: what comes later is a change of this table, and a doubt about it. */
  async #writeWhole(): Promise<void> {
    const { compiler, table } = this.deps;
    this.#doubt = undefined;
    compiler.takeChanges();
    await table.replace(renderPolicyTable(compiler.table));
  }
}
