import type { Journal } from "./journal.ts";

/** Most repairs that one message names. */
const MAX_NAMED = 5;

export interface RepairNewsDependencies {
  readonly journal: Pick<Journal, "repairs" | "repaired">;
  /** Of the NodeConfig that the kernel was made by; undefined while the node is not what one says. */
  generation(): number | undefined;
  /** Tells the cluster. */
  tell(message: string): void;
}

/** Tells of what others changed in the kernel and was put back; by whom it was, only its operator can find out. */
export class RepairNews {
  #generation: number | undefined;
  #told = 0;

  constructor(private readonly deps: RepairNewsDependencies) {}

  /** To be called every few seconds. What was put there since the NodeConfig changed, or the agent began, may be of its own doing. */
  look(): void {
    const { journal, tell } = this.deps;
    const generation = this.deps.generation();
    const count = [...journal.repaired.values()].reduce((sum, each) => sum + each, 0);
    const news = count - this.#told;
    const isOthers = generation !== undefined && generation === this.#generation;
    [this.#generation, this.#told] = [generation, count];
    if (news > 0 && isOthers) tell(messageOf(journal.repairs.slice(-news).map(({ what }) => what), news));
  }
}

function messageOf(what: readonly string[], count: number): string {
  const named = [...new Set(what)].slice(0, MAX_NAMED);
  const more = count > named.length ? `; ${count} in all` : "";
  return `Somebody else changed what is flock's, and it was put back: ${named.join("; ")}${more}`;
}
