import { selects } from "./label_selector.ts";
import { chainName } from "./names.ts";
import { type Direction, DIRECTIONS, type NetworkPolicy } from "./network_policy.ts";
import type { IsolatedPod } from "./policy_table.ts";
import type { PolicyTarget } from "./policy_world.ts";

/**
 * Says whether the policy is about the pod. Of one whose labels nobody knows every policy of its namespace is taken to
 * be.
 */
export function isSelected({ namespace, labels }: PolicyTarget, policy: NetworkPolicy): boolean {
  return namespace === policy.namespace && (labels === undefined || selects(policy.podSelector, labels));
}

/** Names of a policy's chains, of the directions that it is about. */
export type PolicyChainNames = { readonly [D in Direction]?: string };

/** @param key `namespace/name` */
export function chainNamesOf(key: string, { rules }: NetworkPolicy): PolicyChainNames {
  const about = DIRECTIONS.filter((direction) => rules[direction] !== undefined);
  return Object.fromEntries(about.map((direction) => [direction, chainName(key, direction)]));
}

/** @param selecting the chains of each policy that selects the pod. @returns undefined: nothing isolates it */
export function isolatePod(target: PolicyTarget, selecting: readonly PolicyChainNames[]): IsolatedPod | undefined {
  const chains = Object.fromEntries(DIRECTIONS.flatMap((direction) => {
    const names = selecting.flatMap((each) => each[direction] ?? []).sort();
    // Which of them would allow something cannot be told without labels: none does.
    return names.length === 0 ? [] : [[direction, target.labels === undefined ? [] : names]];
  }));
  return Object.keys(chains).length === 0 ? undefined : { chains, logDrops: target.logDrops };
}
