import type { LabelSelector } from "./network_policy.ts";
import type { Labels, PolicyPod } from "./policy_world.ts";

/** Keys of the pods of one namespace. */
interface NamespacePods {
  readonly all: Set<string>;
  /** Text of a label with its value -> pods that have it */
  readonly byLabel: Map<string, Set<string>>;
}

const NONE: ReadonlySet<string> = new Set();

/** @returns one text for a label with its value */
export function labelText(key: string, value: string): string {
  return `${key}=${value}`;
}

/** The pods of the cluster, to be found by namespace and labels without a look at all of them. */
export class PodIndex {
  // `namespace/name` -> pod
  readonly #pods = new Map<string, PolicyPod>();
  readonly #byNamespace = new Map<string, NamespacePods>();

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

  /** @returns the namespaces that have pods */
  namespaces(): Iterable<string> {
    return this.#byNamespace.keys();
  }

  /** @returns pods of the namespace, all that the selector selects among them */
  *candidates(namespace: string, selector: LabelSelector): Iterable<PolicyPod> {
    const pods = this.#byNamespace.get(namespace);
    if (pods === undefined) return;
    for (const keys of narrow(pods, selector)) {
      for (const key of keys) {
        const pod = this.#pods.get(key);
        if (pod !== undefined) yield pod;
      }
    }
  }

  #keep(key: string, pod: PolicyPod): void {
    this.#pods.set(key, pod);
    const pods = getOrMake(this.#byNamespace, pod.namespace, () => ({ all: new Set<string>(), byLabel: new Map() }));
    pods.all.add(key);
    for (const label of textsOf(pod.labels)) getOrMake(pods.byLabel, label, () => new Set<string>()).add(key);
  }

  #forget(key: string, { namespace, labels }: PolicyPod): void {
    const pods = this.#byNamespace.get(namespace);
    if (pods === undefined) return;
    pods.all.delete(key);
    if (pods.all.size === 0) this.#byNamespace.delete(namespace);
    for (const label of textsOf(labels)) {
      const having = pods.byLabel.get(label);
      having?.delete(key);
      if (having?.size === 0) pods.byLabel.delete(label);
    }
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

/** Pods of one Deployment share their labels, and so what is made of them. */
const texts = new WeakMap<Labels, readonly string[]>();

/** @returns the texts of all labels */
export function textsOf(labels: Labels): readonly string[] {
  const known = texts.get(labels);
  if (known !== undefined) return known;
  const made = Array.from(labels, ([key, value]) => labelText(key, value));
  texts.set(labels, made);
  return made;
}

/** A pod has one value of a label: the lists of several values share none. */
function narrow({ all, byLabel }: NamespacePods, selector: LabelSelector): readonly ReadonlySet<string>[] {
  let [found, size]: [readonly ReadonlySet<string>[], number] = [[all], all.size];
  for (const { key, operator, values } of selector) {
    if (operator !== "In") continue;
    const lists = values.map((value) => byLabel.get(labelText(key, value)) ?? NONE);
    const total = lists.reduce((sum, list) => sum + list.size, 0);
    if (total < size) [found, size] = [lists, total];
  }
  return found;
}
