import type { Clock } from "../clock/clock.ts";
import { type PolicyNames, renderPolicyNames } from "../policy/policy_names.ts";
import type { JsonMemory } from "./json_memory.ts";

/** At most one write in so many milliseconds. */
const EVERY_MS = 1_000;

export interface PolicyNameKeeperDependencies {
  readonly policies: { readonly names: PolicyNames; readonly inForce: boolean };
  readonly memory: Pick<JsonMemory<PolicyNames>, "save">;
  readonly clock: Clock;
}

/** Writes down what the chains and sets in the kernel are called: who looks at them may find the agent dead. */
export class PolicyNameKeeper {
  /** Without policies there is no file. What an earlier agent left names what the kernel has no more, and harms nobody. */
  #saved = textOf({ policies: [], sets: new Map() });
  #seen: PolicyNames | undefined;

  constructor(private readonly deps: PolicyNameKeeperDependencies) {}

  /** One pass of a loop. What the kernel still has of an earlier agent keeps its names. @throws Deno's errors */
  async keep(): Promise<void> {
    const { policies, memory, clock } = this.deps;
    if (!policies.inForce) return;
    const { names } = policies;
    if (names === this.#seen) return;
    const text = textOf(names);
    if (text === this.#saved) return void (this.#seen = names);
    await memory.save(names);
    [this.#saved, this.#seen] = [text, names];
    await clock.sleep(EVERY_MS);
  }
}

function textOf(names: PolicyNames): string {
  return JSON.stringify(renderPolicyNames(names));
}
