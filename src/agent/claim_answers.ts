import type { Clock } from "../clock/clock.ts";
import type { Address } from "../ip/address.ts";
import { addressesIn, type ClaimInquiry, type Findings, NOTHING_FOUND } from "./claim_inquiry.ts";
import type { OtherNode } from "./cluster_prefixes.ts";

/** How long an answer holds before the question is worth asking again, in milliseconds. */
export const ANSWER_MS = 15_000;

export interface ClaimAnswersDependencies {
  readonly inquiry: Pick<ClaimInquiry, "ask">;
  readonly clock: Pick<Clock, "sleep">;
  /** An answer has come, or is too old by now: whoever asked should ask again. */
  changed(): void;
}

/** What a `ClaimInquiry` finds out, for a level-triggered pass that must not wait for the API server. */
export class ClaimAnswers {
  /** addresses, as one text -> what was found; undefined: nothing yet */
  readonly #answers = new Map<string, Findings | undefined>();

  constructor(private readonly deps: ClaimAnswersDependencies) {}

  /** @returns undefined while nobody has answered; `changed` is called when somebody has */
  of(addresses: readonly Address[], nodes: readonly OtherNode[]): Findings | undefined {
    const asked = addresses.filter((address) => nodes.some((node) => addressesIn(node, [address]).length > 0));
    if (asked.length === 0) return NOTHING_FOUND;
    const key = asked.map(({ text }) => text).sort().join(" ");
    if (!this.#answers.has(key)) void this.#ask(key, { asked, nodes });
    return this.#answers.get(key);
  }

  async #ask(key: string, { asked, nodes }: { asked: readonly Address[]; nodes: readonly OtherNode[] }): Promise<void> {
    const { inquiry, clock, changed } = this.deps;
    this.#answers.set(key, undefined);
    this.#answers.set(key, await inquiry.ask(asked, nodes));
    changed();
    await clock.sleep(ANSWER_MS);
    this.#answers.delete(key);
    changed();
  }
}
