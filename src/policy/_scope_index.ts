import type { LabelSelector } from "./network_policy.ts";
import { getOrMake, labelText, textsOf } from "./_pod_index.ts";
import type { Labels, PolicyPod } from "./policy_world.ts";
import type { PodScope } from "./set_source.ts";

const ANY = "*";

/**
 * Finds the scopes that a pod may be in without a look at all of them: each lies in the buckets of what it asks for, by
 * namespace (its name, or one label with its value) and by one label of the pod.
 */
export class ScopeIndex<T> {
  // by namespace -> by label of the pod -> items
  readonly #buckets = new Map<string, Map<string, Set<T>>>();

  add(scope: PodScope, item: T): void {
    for (const [namespaceKey, podKey] of bucketsOf(scope)) {
      const ofNamespace = getOrMake(this.#buckets, namespaceKey, () => new Map<string, Set<T>>());
      getOrMake(ofNamespace, podKey, () => new Set<T>()).add(item);
    }
  }

  remove(scope: PodScope, item: T): void {
    for (const [namespaceKey, podKey] of bucketsOf(scope)) {
      const ofNamespace = this.#buckets.get(namespaceKey);
      const items = ofNamespace?.get(podKey);
      items?.delete(item);
      if (items?.size === 0) ofNamespace?.delete(podKey);
      if (ofNamespace?.size === 0) this.#buckets.delete(namespaceKey);
    }
  }

  /** @returns what was added for scopes that the pod may be in, each once, all that it is in among them */
  *candidates({ namespace, labels }: PolicyPod, namespaceLabels: Labels): Iterable<T> {
    const podKeys = textsOf(labels);
    for (const namespaceKey of [ANY, `/${namespace}`, ...textsOf(namespaceLabels)]) {
      const ofNamespace = this.#buckets.get(namespaceKey);
      if (ofNamespace === undefined) continue;
      yield* ofNamespace.get(ANY) ?? [];
      for (const podKey of podKeys) yield* ofNamespace.get(podKey) ?? [];
    }
  }
}

function bucketsOf({ namespaces, pods }: PodScope): [namespaceKey: string, podKey: string][] {
  const namespaceKeys = typeof namespaces === "string" ? [`/${namespaces}`] : requiredLabels(namespaces);
  return namespaceKeys.flatMap((key) => requiredLabels(pods).map((podKey): [string, string] => [key, podKey]));
}

/** What is selected has one of them: a label has one value at a time, so never two. */
function requiredLabels(selector: LabelSelector): string[] {
  const required = selector.find(({ operator }) => operator === "In");
  return required === undefined ? [ANY] : required.values.map((value) => labelText(required.key, value));
}
