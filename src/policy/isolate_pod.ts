import { selects } from "./label_selector.ts";
import { chainName, policyKeyOf } from "./names.ts";
import { type Direction, DIRECTIONS, type NetworkPolicy } from "./network_policy.ts";
import type { IsolatedPod } from "./policy_table.ts";
import type { PolicyTarget } from "./policy_world.ts";

/** Says whether the policy is about the pod. Of one whose labels nobody knows every policy of its namespace is taken to be. */
export function isSelected({ namespace, labels }: PolicyTarget, policy: NetworkPolicy): boolean {
  return namespace === policy.namespace && (labels === undefined || selects(policy.podSelector, labels));
}

/** @param policies those that select the pod, and no others. @returns undefined: nothing isolates it */
export function isolatePod(target: PolicyTarget, policies: readonly NetworkPolicy[]): IsolatedPod | undefined {
  const chains = Object.fromEntries(DIRECTIONS.flatMap((direction) => {
    const names = chainsOf(policies, direction);
    // Which of them would allow something cannot be told without labels: none does.
    return names.length === 0 ? [] : [[direction, target.labels === undefined ? [] : names]];
  }));
  return Object.keys(chains).length === 0 ? undefined : { chains, logDrops: target.logDrops };
}

function chainsOf(policies: readonly NetworkPolicy[], direction: Direction): string[] {
  const named = policies.filter(({ rules }) => rules[direction] !== undefined);
  return named.map((policy) => chainName(policyKeyOf(policy), direction)).sort();
}
