import { CountedSet } from "./_counted_set.ts";
import { PodIndex } from "./_pod_index.ts";
import { ScopeIndex } from "./_scope_index.ts";
import type { NamedSet, SetChange } from "./policy_changes.ts";
import { areFew, type SetSize } from "./hold_set.ts";
import type { PolicySet, PolicySetType } from "./policy_table.ts";
import type { Labels, PolicyPod, PolicyTarget } from "./policy_world.ts";
import {
  elementsOfPod,
  elementsOfTarget,
  isInScope,
  type PodSetSource,
  type SetSource,
  setTypeOf,
} from "./set_source.ts";

const NO_LABELS: Labels = new Map();

/** A set as it was when the last changes were taken. */
interface Memory {
  readonly type: PolicySetType;
  /** Chains that named it. */
  readonly users: number;
  // element that came or went since -> whether it was there
  readonly was: Map<string, boolean>;
}

/**
 * The sets that chains name, kept as pods, namespaces and this node's pods come, go and change. The cost of an event
 * depends on the sets that it concerns.
 */
export class SetStore {
  readonly #sets = new Map<string, CountedSet>();
  readonly #byScope = new ScopeIndex<string>();
  // named ports of this node's pods
  readonly #ofTargets = new Set<string>();
  readonly #pods = new PodIndex();
  readonly #namespaces = new Map<string, Labels>();
  readonly #targets = new Map<string, PolicyTarget>();
  readonly #memories = new Map<string, Memory>();

  /** Name -> set. Shares the elements. */
  get sets(): ReadonlyMap<string, PolicySet> {
    return new Map(
      Array.from(this.#sets, ([name, { source, elements }]) => [name, { type: setTypeOf(source), elements }]),
    );
  }

  /** Name -> what people call the set, by name */
  get descriptions(): ReadonlyMap<string, string> {
    const names = [...this.#sets.keys()].sort();
    return new Map(names.flatMap((name) => {
      const description = this.#sets.get(name)?.description;
      return description === undefined ? [] : [[name, description]];
    }));
  }

  /** @returns the set and the chains that name it, if there is such a set. Shares both */
  find(name: string): NamedSet | undefined {
    const set = this.#sets.get(name);
    return set && { type: setTypeOf(set.source), elements: set.elements, users: set.users };
  }

  /** @returns where the set's elements come from, if there is such a set */
  sourceOf(name: string): SetSource | undefined {
    return this.#sets.get(name)?.source;
  }

  /** Has the chain name the set, which is made and filled if there is none. */
  use(name: string, { source, chain }: { readonly source: SetSource; readonly chain: string }): void {
    this.#remember(name, source);
    const set = this.#sets.get(name) ?? this.#make(name, source);
    set.users.add(chain);
  }

  /** Has the chain name the set no more, which is unmade if no other does. */
  leave(name: string, chain: string): void {
    const set = this.#sets.get(name);
    if (set === undefined) return;
    this.#remember(name, set.source);
    set.users.delete(chain);
    if (set.users.size === 0) this.#unmake(name, set);
  }

  setPod(key: string, pod: PolicyPod | undefined): void {
    const before = this.#pods.get(key);
    if (before === pod) return;
    if (before !== undefined) this.#contribute(before, { present: false });
    this.#pods.set(key, pod);
    if (pod !== undefined) this.#contribute(pod, { present: true });
  }

  setNamespace(name: string, labels: Labels | undefined): void {
    if (this.#namespaces.get(name) === labels) return;
    const pods = this.#pods.inNamespace(name);
    for (const pod of pods) this.#contribute(pod, { present: false });
    if (labels === undefined) this.#namespaces.delete(name);
    else this.#namespaces.set(name, labels);
    for (const pod of pods) this.#contribute(pod, { present: true });
  }

  setTarget(link: string, target: PolicyTarget | undefined): void {
    const before = this.#targets.get(link);
    if (before !== undefined) this.#contributeTarget(link, { target: before, present: false });
    if (target === undefined) this.#targets.delete(link);
    else this.#targets.set(link, target);
    if (target !== undefined) this.#contributeTarget(link, { target, present: true });
  }

  /** @returns the sets that differ from what they were at the last call */
  takeChanges(): Map<string, SetChange> {
    const changes = new Map<string, SetChange>();
    for (const [name, memory] of this.#memories) {
      const change = compare(memory, this.#sets.get(name));
      if (change !== undefined) changes.set(name, change);
    }
    this.#memories.clear();
    return changes;
  }

  #make(name: string, source: SetSource): CountedSet {
    const set = new CountedSet(source);
    this.#sets.set(name, set);
    if (source.kind === "linkPort") this.#ofTargets.add(name);
    else this.#byScope.add(source.scope, name);
    for (const element of this.#elementsOf(source)) this.#setElement(name, { set, element, present: true });
    return set;
  }

  #unmake(name: string, set: CountedSet): void {
    const { source } = set;
    const memory = this.#memories.get(name);
    // Whoever makes it anew before the changes are taken changes what is there.
    if (memory !== undefined && memory.users > 0) {
      for (const element of set.elements) if (!memory.was.has(element)) memory.was.set(element, true);
    }
    this.#sets.delete(name);
    if (source.kind === "linkPort") this.#ofTargets.delete(name);
    else this.#byScope.remove(source.scope, name);
  }

  *#elementsOf(source: SetSource): Iterable<string> {
    if (source.kind === "linkPort") {
      for (const [link, target] of this.#targets) yield* elementsOfTarget(source, { link, target });
    } else {
      for (const pod of this.#pods.candidates(source.scope)) {
        if (isInScope(source.scope, pod, this.#labelsOf(pod.namespace))) yield* elementsOfPod(source, pod);
      }
    }
  }

  /** Adds what the pod adds to the sets whose scope it is in, or takes it away. */
  #contribute(pod: PolicyPod, { present }: { present: boolean }): void {
    const namespaceLabels = this.#labelsOf(pod.namespace);
    for (const name of this.#byScope.candidates(pod, namespaceLabels)) {
      const set = this.#sets.get(name);
      if (set === undefined || !isPodSet(set.source) || !isInScope(set.source.scope, pod, namespaceLabels)) continue;
      for (const element of elementsOfPod(set.source, pod)) this.#setElement(name, { set, element, present });
    }
  }

  #contributeTarget(link: string, { target, present }: { target: PolicyTarget; present: boolean }): void {
    if (target.ports.length === 0) return;
    for (const name of this.#ofTargets) {
      const set = this.#sets.get(name);
      if (set?.source.kind !== "linkPort") continue;
      const elements = elementsOfTarget(set.source, { link, target });
      for (const element of elements) this.#setElement(name, { set, element, present });
    }
  }

  #setElement(name: string, { set, element, present }: { set: CountedSet; element: string; present: boolean }): void {
    const changed = present ? set.add(element) : set.remove(element);
    if (!changed) return;
    const { users, was } = this.#remember(name, set.source);
    if (users > 0 && !was.has(element)) was.set(element, !present);
  }

  #remember(name: string, source: SetSource): Memory {
    const known = this.#memories.get(name);
    if (known !== undefined) return known;
    const memory = { type: setTypeOf(source), users: this.#sets.get(name)?.users.size ?? 0, was: new Map() };
    this.#memories.set(name, memory);
    return memory;
  }

  #labelsOf(namespace: string): Labels {
    return this.#namespaces.get(namespace) ?? NO_LABELS;
  }
}

function isPodSet(source: SetSource): source is PodSetSource {
  return source.kind !== "linkPort";
}

function compare({ type, users, was }: Memory, set: CountedSet | undefined): SetChange | undefined {
  const elements: ReadonlySet<string> = set?.elements ?? new Set();
  const known = [...was];
  if (users === 0) return set && { type, after: sizeOf(set), added: [...elements], removed: [] };
  const size = known.reduce(
    (sum, [element, there]) => sum + Number(there) - Number(elements.has(element)),
    elements.size,
  );
  const before = { users, elements: size };
  if (set === undefined) return { type, before, added: [], removed: [] };
  const added = known.flatMap(([element, there]) => (!there && elements.has(element) ? [element] : []));
  const removed = known.flatMap(([element, there]) => (there && !elements.has(element) ? [element] : []));
  const after = sizeOf(set);
  const same = added.length + removed.length === 0 && areFew(users) === areFew(after.users);
  return same ? undefined : { type, before, after, added, removed };
}

function sizeOf({ elements, users }: CountedSet): SetSize {
  return { elements: elements.size, users: users.size };
}
