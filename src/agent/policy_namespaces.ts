import type { Logger } from "../log/logger.ts";
import type { PolicyMemory } from "./policy_memory.ts";
import type { PolicySources } from "./policy_sources.ts";

/**
 * In which namespaces there may be policies: as the API server has it, and before it was heard, as an earlier agent had
 * heard.
 */
export class PolicyNamespaces {
  #remembered: ReadonlySet<string> | undefined;
  #wasHeard = false;
  #saved: Promise<void> = Promise.resolve();

  constructor(
    private readonly deps: {
      readonly sources: Pick<PolicySources, "synced" | "policies" | "onChange">;
      readonly memory: PolicyMemory;
      readonly logger: Logger;
    },
  ) {
    this.#remembered = deps.memory.load();
    deps.sources.onChange(({ policies }) => this.#hear(policies.size > 0));
  }

  /** Whether a policy of the namespace may exist, as far as anybody has heard. */
  mayHave(namespace: string): boolean {
    if (!this.heard) return this.#remembered?.has(namespace) ?? true;
    return [...this.deps.sources.policies.values()].some((policy) => policy.namespace === namespace);
  }

  /** Waits for what is being written down. */
  async saved(): Promise<void> {
    await this.#saved;
  }

  /** Whether the API server has told of policies since this agent started. They are listed before that of which they make more necessary. */
  get heard(): boolean {
    return this.deps.sources.synced || this.deps.sources.policies.size > 0;
  }

  /** Pods come and go all the time, and say nothing here. */
  #hear(policiesChanged: boolean): void {
    if (!this.heard || (this.#wasHeard && !policiesChanged)) return;
    this.#wasHeard = true;
    this.#remember();
  }

  /** A disk that refuses is no reason not to serve; the next policy that changes has it tried again. */
  #remember(): void {
    const namespaces = new Set([...this.deps.sources.policies.values()].map(({ namespace }) => namespace));
    const { memory, logger } = this.deps;
    if (this.#remembered?.size === namespaces.size && namespaces.isSubsetOf(this.#remembered)) return;
    this.#remembered = namespaces;
    this.#saved = this.#saved.then(() => memory.save(namespaces)).catch((error: unknown) => {
      this.#remembered = undefined;
      logger.warn("namespaces with policies not remembered", { error: String(error) });
    });
  }
}
