import type { Labels, PolicyPod } from "./policy_world.ts";
import type { PodScope } from "./set_source.ts";

/** Keys of pods; of a map its keys. */
interface Keys {
  readonly size: number;
  keys(): Iterable<string>;
}

const NONE: ReadonlySet<string> = new Set();

/** @returns one text for a label with its value */
export function labelText(key: string, value: string): string {
  return `${key}=${value}`;
}

/** The pods of the cluster, to be found by namespace or by label without a look at all of them. */
export class PodIndex {
  // `namespace/name` -> pod
  readonly #pods = new Map<string, PolicyPod>();
  // namespace -> keys of its pods
  readonly #byNamespace = new Map<string, Set<string>>();
  // label with its value -> keys of the pods that have it, in whatever namespace: in few namespaces a set for each pod
  // would cost more than the pod
  readonly #byLabel = new Map<string, Set<string>>();

  get(key: string): PolicyPod | undefined {
    return this.#pods.get(key);
  }

  /** Takes the pod in place of the one that had the key; undefined: in place of it none. */
  set(key: string, pod: PolicyPod | undefined): void {
    const before = this.#pods.get(key);
    if (before !== undefined) this.#forget(key, before);
    if (pod === undefined) this.#pods.delete(key);
    else this.#keep(key, pod);
  }

  /** @returns the pods of the namespace */
  inNamespace(name: string): PolicyPod[] {
    return this.#podsOf([this.#byNamespace.get(name) ?? NONE]);
  }

  /**
   * @returns pods of the cluster, all that are in the scope among them: few where the scope's namespace or labels are
   * of few
   */
  candidates({ namespaces, pods: selector }: PodScope): PolicyPod[] {
    const all = typeof namespaces === "string" ? this.#byNamespace.get(namespaces) ?? NONE : this.#pods;
    let [found, size]: [readonly Keys[], number] = [[all], all.size];
    for (const { key, operator, values } of selector) {
      if (operator !== "In") continue;
      // A pod has one value of a label: the lists of several values share none.
      const lists = values.map((value) => this.#byLabel.get(labelText(key, value)) ?? NONE);
      const total = lists.reduce((sum, list) => sum + list.size, 0);
      if (total < size) [found, size] = [lists, total];
    }
    return this.#podsOf(found);
  }

  #podsOf(lists: readonly Keys[]): PolicyPod[] {
    return lists.flatMap((keys) => [...keys.keys()].flatMap((key) => this.#pods.get(key) ?? []));
  }

  #keep(key: string, pod: PolicyPod): void {
    this.#pods.set(key, pod);
    addTo(this.#byNamespace, pod.namespace, key);
    for (const label of textsOf(pod.labels)) addTo(this.#byLabel, label, key);
  }

  #forget(key: string, { namespace, labels }: PolicyPod): void {
    removeFrom(this.#byNamespace, namespace, key);
    for (const label of textsOf(labels)) removeFrom(this.#byLabel, label, key);
  }
}

/** @returns the value of the key, made and kept if there was none */
export function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

/**
 * Not kept: where each pod has labels of its own, the texts would be larger than the pod.
 *
 * @returns the texts of all labels
 */
export function textsOf(labels: Labels): readonly string[] {
  return Array.from(labels, ([key, value]) => labelText(key, value));
}

/** Adds the item to the set of that name, which is made if there is none. */
export function addTo(sets: Map<string, Set<string>>, name: string, item: string): void {
  const set = sets.get(name);
  if (set === undefined) sets.set(name, new Set([item]));
  else set.add(item);
}

/** Takes the item from the set of that name, and the set away when it was the last. */
export function removeFrom(sets: Map<string, Set<string>>, name: string, item: string): void {
  const set = sets.get(name);
  set?.delete(item);
  if (set?.size === 0) sets.delete(name);
}
