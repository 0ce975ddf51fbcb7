import { explainNames } from "../../policy/describe.ts";
import { chainName, mapName, podChainName } from "../../policy/names.ts";
import { type Direction, DIRECTIONS } from "../../policy/network_policy.ts";
import type { PolicyNames } from "../../policy/policy_names.ts";
import type { Counter, Ruleset } from "../../trace/ruleset.ts";

/** The table of the policies as the kernel has it, and what the hashes in it stand for. */
export interface KernelPolicies {
  readonly ruleset: Ruleset;
  readonly names: PolicyNames;
}

/** A policy as far as it is in the kernel. */
export interface KernelPolicy {
  /** `namespace/name`; where nobody has written down what the hash stands for, the chain. */
  readonly name: string;
  readonly chain: string;
  readonly direction: Direction;
  /** Without any it allows nothing. */
  readonly rules: number;
}

/** A pod that is isolated in one direction. */
export interface Isolation {
  /** Host end of the pod's link. */
  readonly link: string;
  readonly direction: Direction;
  /** The policies that are asked; none: nothing is allowed. */
  readonly policies: readonly KernelPolicy[];
  readonly drops: Counter;
}

const NO_DROPS: Counter = { packets: 0, bytes: 0 };

/** @returns each pod and direction that the kernel isolates, sorted by link */
export function isolationsIn(kernel: KernelPolicies): Isolation[] {
  return DIRECTIONS.flatMap((direction) =>
    [...kernel.ruleset.maps.get(mapName(direction))?.keys() ?? []].map((link) => isolationOf(kernel, link, direction))
  ).sort((a, b) => a.link < b.link ? -1 : a.link > b.link ? 1 : 0);
}

/** @returns what the kernel asks of one isolated pod's packets */
export function isolationOf({ ruleset, names }: KernelPolicies, link: string, direction: Direction): Isolation {
  const own = podChainName(link, direction);
  const jumps = ruleset.chains.get(own)?.rules.flatMap(({ expressions }) =>
    expressions.flatMap((each) => each.kind === "verdict" && each.verdict.kind === "jump" ? [each.verdict.chain] : [])
  );
  const keys = policyKeys(names);
  const policies = (jumps ?? []).map((chain) => ({
    name: keys.get(chain) ?? chain,
    chain,
    direction,
    rules: ruleset.chains.get(chain)?.rules.length ?? 0,
  }));
  return { link, direction, policies, drops: ruleset.counters.get(own) ?? NO_DROPS };
}

/** @returns `namespace/name` of the policy whose chain this is; undefined: of none that has a name */
export function policyOfChain(chain: string, names: PolicyNames): string | undefined {
  return policyKeys(names).get(chain);
}

/** @returns the rule, and what the sets in it hold */
export function explainRule(text: string, names: PolicyNames): string {
  return explainNames(text, (name) => names.sets.get(name));
}

const known = new WeakMap<PolicyNames, ReadonlyMap<string, string>>();

/** Chain -> policy. Hashed once. */
function policyKeys(names: PolicyNames): ReadonlyMap<string, string> {
  const keys = known.get(names) ??
    new Map(names.policies.flatMap((key) => DIRECTIONS.map((direction) => [chainName(key, direction), key] as const)));
  known.set(names, keys);
  return keys;
}
