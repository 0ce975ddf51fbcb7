import type { LabelSelector } from "./network_policy.ts";
import { labelText, textsOf } from "./_pod_index.ts";
import type { Labels, PolicyPod } from "./policy_world.ts";
import type { PodScope } from "./set_source.ts";

const ANY = "*";

/**
 * Finds the scopes that a pod may be in without a look at all of them: each lies in the buckets of what it asks for, by namespace (its name, or one label with its value) and by one
 * label of the pod.
 */
export class ScopeIndex<T> {
  readonly #buckets = new Map<string, Set<T>>();

  add(scope: PodScope, item: T): void {
    for (const bucket of bucketsOf(scope)) {
      const items = this.#buckets.get(bucket);
      if (items === undefined) this.#buckets.set(bucket, new Set([item]));
      else items.add(item);
    }
  }

  remove(scope: PodScope, item: T): void {
    for (const bucket of bucketsOf(scope)) {
      const items = this.#buckets.get(bucket);
      items?.delete(item);
      if (items?.size === 0) this.#buckets.delete(bucket);
    }
  }

  /** @returns what was added for scopes that the pod may be in, each once, all that it is in among them */
  *candidates({ namespace, labels }: PolicyPod, namespaceLabels: Labels): Iterable<T> {
    const podKeys = [ANY, ...textsOf(labels)];
    for (const namespaceKey of [ANY, `/${namespace}`, ...textsOf(namespaceLabels)]) {
      for (const podKey of podKeys) yield* this.#buckets.get(bucketOf(namespaceKey, podKey)) ?? [];
    }
  }
}

function bucketsOf({ namespaces, pods }: PodScope): string[] {
  const namespaceKeys = typeof namespaces === "string" ? [`/${namespaces}`] : requiredLabels(namespaces);
  return namespaceKeys.flatMap((key) => requiredLabels(pods).map((podKey) => bucketOf(key, podKey)));
}

/** What is selected has one of them: a label has one value at a time, so never two. */
function requiredLabels(selector: LabelSelector): string[] {
  const required = selector.find(({ operator }) => operator === "In");
  return required === undefined ? [ANY] : required.values.map((value) => labelText(required.key, value));
}

function bucketOf(namespaceKey: string, podKey: string): string {
  return `${namespaceKey} ${podKey}`;
}
