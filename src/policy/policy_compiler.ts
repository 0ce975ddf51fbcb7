import { PortsChains } from "./_ports_chains.ts";
import { SetStore } from "./_set_store.ts";
import { addTo, removeFrom } from "./_pod_index.ts";
import { closedChain, compileChain, type CompiledChain } from "./compile_chain.ts";
import { describeChain, describeSet } from "./describe.ts";
import { chainNamesOf, isolatePod, isSelected, type PolicyChainNames } from "./isolate_pod.ts";
import { type Direction, DIRECTIONS, type NetworkPolicy } from "./network_policy.ts";
import type { Change, PolicyChanges } from "./policy_changes.ts";
import type { IsolatedPod, PolicyChain, PolicyTable } from "./policy_table.ts";
import type { PolicyNames } from "./policy_names.ts";
import type { Labels, PolicyPod, PolicyTarget } from "./policy_world.ts";

interface PolicyEntry {
  readonly key: string;
  readonly policy: NetworkPolicy;
  readonly chains: PolicyChainNames;
}

/** Policy and direction that a chain is of. */
interface ChainOwner {
  readonly key: string;
  readonly direction: Direction;
}

/** A chain that a pod asks. */
interface AskedChain {
  readonly owner: ChainOwner;
  readonly links: Set<string>;
  compiled: CompiledChain;
}

/**
 * Compiles step by step what compilePolicyTable() compiles from scratch: the same table for the same world, whatever
 * the events were that led there. The cost of an event depends on what it concerns, not on the size of the world.
 */
export class PolicyCompiler {
  readonly #policies = new Map<string, PolicyEntry>();
  // chain -> policy and direction
  readonly #owners = new Map<string, ChainOwner>();
  // namespace -> keys of its policies
  readonly #policiesOf = new Map<string, Set<string>>();
  readonly #targets = new Map<string, PolicyTarget>();
  // namespace -> links of its pods on this node
  readonly #targetsOf = new Map<string, Set<string>>();
  // link -> keys of the policies that select the pod
  readonly #selecting = new Map<string, Set<string>>();
  readonly #isolated = new Map<string, IsolatedPod>();
  readonly #chains = new Map<string, AskedChain>();
  readonly #sets = new SetStore();
  readonly #ports = new PortsChains();
  #quarantined: ReadonlySet<string> = new Set();
  #names: PolicyNames | undefined;
  // as they were when the last changes were taken
  readonly #chainMemories = new Map<string, PolicyChain | undefined>();
  readonly #podMemories = new Map<string, IsolatedPod | undefined>();

  /** @param key `namespace/name`. @param policy undefined: there is none */
  setPolicy(key: string, policy: NetworkPolicy | undefined): void {
    const before = this.#policies.get(key);
    if (before?.policy === policy) return;
    if (before !== undefined) this.#dropPolicy(before);
    const entry = policy && { key, policy, chains: chainNamesOf(key, policy) };
    if (entry !== undefined) this.#keepPolicy(entry);
    const links = new Set([...this.#linksOf(before), ...this.#linksOf(entry)]);
    for (const link of links) this.#select(link, { entry, key });
    this.#recompile(key);
  }

  /** @param labels undefined: nobody knows the namespace */
  setNamespace(name: string, labels: Labels | undefined): void {
    this.#sets.setNamespace(name, labels);
  }

  /** @param key `namespace/name`. @param pod undefined: there is none that is a peer */
  setPod(key: string, pod: PolicyPod | undefined): void {
    this.#sets.setPod(key, pod);
  }

  /** @param link host end of a pod of this node. @param target undefined: there is no such pod */
  setTarget(link: string, target: PolicyTarget | undefined): void {
    const before = this.#targets.get(link);
    if (before === target) return;
    this.#sets.setTarget(link, target);
    if (before !== undefined) removeFrom(this.#targetsOf, before.namespace, link);
    if (target === undefined) this.#targets.delete(link);
    else {
      this.#targets.set(link, target);
      addTo(this.#targetsOf, target.namespace, link);
    }
    this.#selecting.set(link, new Set(target && this.#selectingOf(target).map(({ key }) => key)));
    this.#isolate(link);
  }

  /**
   * The chains of these policies have no rules, until they are left out of a later call.
   *
   * @param policyKeys `namespace/name`
   */
  setQuarantine(policyKeys: ReadonlySet<string>): void {
    const concerned = this.#quarantined.symmetricDifference(policyKeys);
    this.#quarantined = new Set(policyKeys);
    for (const key of concerned) this.#recompile(key);
  }

  /** The desired table. Shares what it holds: valid until the compiler is told something new. */
  get table(): PolicyTable {
    return {
      sets: this.#sets.sets,
      chains: new Map(Array.from(this.#chains, ([name, { compiled }]) => [name, compiled.chain])),
      pods: new Map(this.#isolated),
    };
  }

  /** @returns what changed since the last call; undefined: nothing */
  takeChanges(): PolicyChanges | undefined {
    const [sets, ports] = [this.#sets.takeChanges(), this.#ports.takeChanges()];
    const chains = takeChanges(this.#chainMemories, (name) => this.#chains.get(name)?.compiled.chain);
    const pods = takeChanges(this.#podMemories, (link) => this.#isolated.get(link));
    if (sets.size + chains.size + pods.size === 0) return undefined;
    const find = {
      set: (name: string) => this.#sets.find(name),
      chain: (name: string) => this.#chains.get(name)?.compiled.chain,
    };
    return { sets, chains, pods, ports, find, isolated: this.#isolated };
  }

  /**
   * @returns what people call a chain of a policy, or a set; undefined: there is no such thing, or its name says it all
   */
  describe(name: string): string | undefined {
    const owner = this.#chains.get(name)?.owner;
    if (owner !== undefined) return describeChain(owner);
    const source = this.#sets.sourceOf(name);
    return source && describeSet(source);
  }

  /** What people call all that is in the desired table; the same object as long as no chain comes, goes or changes. */
  get names(): PolicyNames {
    return this.#names ??= this.#findNames();
  }

  /** Says whether any policy selects the pod. */
  isolates(target: PolicyTarget): boolean {
    return this.#selectingOf(target).some(({ chains }) => Object.keys(chains).length > 0);
  }

  #findNames(): PolicyNames {
    return {
      policies: [...new Set(Array.from(this.#chains.values(), ({ owner }) => owner.key))].sort(),
      sets: this.#sets.descriptions,
    };
  }

  #keepPolicy(entry: PolicyEntry): void {
    this.#policies.set(entry.key, entry);
    for (const [name, owner] of ownersOf(entry)) this.#owners.set(name, owner);
    addTo(this.#policiesOf, entry.policy.namespace, entry.key);
  }

  #dropPolicy(entry: PolicyEntry): void {
    this.#policies.delete(entry.key);
    for (const [name] of ownersOf(entry)) this.#owners.delete(name);
    removeFrom(this.#policiesOf, entry.policy.namespace, entry.key);
  }

  #linksOf(entry: PolicyEntry | undefined): Iterable<string> {
    return (entry && this.#targetsOf.get(entry.policy.namespace)) ?? [];
  }

  #selectingOf(target: PolicyTarget): PolicyEntry[] {
    const entries = [...this.#policiesOf.get(target.namespace) ?? []].flatMap((key) => this.#policies.get(key) ?? []);
    return entries.filter(({ policy }) => isSelected(target, policy));
  }

  /** Finds out whether one policy, of which something changed, selects the pod. */
  #select(link: string, { entry, key }: { entry: PolicyEntry | undefined; key: string }): void {
    const target = this.#targets.get(link);
    const selecting = this.#selecting.get(link);
    if (target === undefined || selecting === undefined) return;
    const before = selecting.delete(key);
    const after = entry !== undefined && isSelected(target, entry.policy);
    if (after) selecting.add(key);
    if (before || after) this.#isolate(link);
  }

  /** Brings the pod's isolation and what it asks up to date. */
  #isolate(link: string): void {
    const target = this.#targets.get(link);
    const selecting = [...this.#selecting.get(link) ?? []].flatMap((key) => this.#policies.get(key)?.chains ?? []);
    const before = this.#isolated.get(link);
    const after = target && isolatePod(target, selecting);
    if (!this.#podMemories.has(link)) this.#podMemories.set(link, before);
    if (after === undefined) this.#isolated.delete(link);
    else this.#isolated.set(link, after);
    if (target === undefined) this.#selecting.delete(link);
    this.#ask(link, { before: askedBy(before), after: askedBy(after) });
  }

  #ask(link: string, { before, after }: { before: ReadonlySet<string>; after: ReadonlySet<string> }): void {
    // First what is new, so that a set that goes over from one chain to another stays.
    for (const name of after) if (!before.has(name)) this.#askOne(name, link);
    for (const name of before) if (!after.has(name)) this.#leaveOne(name, link);
  }

  #askOne(name: string, link: string): void {
    const known = this.#chains.get(name);
    if (known !== undefined) return void known.links.add(link);
    const owner = this.#owners.get(name);
    if (owner === undefined) return;
    const compiled = this.#compile(owner);
    this.#rememberChain(name);
    this.#chains.set(name, { owner, links: new Set([link]), compiled });
    this.#useSets(name, compiled);
    this.#ports.move(name, { before: undefined, after: compiled.chain });
  }

  #leaveOne(name: string, link: string): void {
    const chain = this.#chains.get(name);
    chain?.links.delete(link);
    if (chain === undefined || chain.links.size > 0) return;
    this.#rememberChain(name);
    this.#chains.delete(name);
    this.#ports.move(name, { before: chain.compiled.chain, after: undefined });
    for (const set of chain.compiled.sources.keys()) this.#sets.leave(set, name);
  }

  #recompile(key: string): void {
    for (const name of Object.values(this.#policies.get(key)?.chains ?? {})) {
      const chain = this.#chains.get(name);
      if (chain === undefined) continue;
      const before = chain.compiled;
      this.#rememberChain(name);
      chain.compiled = this.#compile(chain.owner);
      this.#useSets(name, chain.compiled);
      this.#ports.move(name, { before: before.chain, after: chain.compiled.chain });
      for (const set of before.sources.keys()) {
        if (!chain.compiled.sources.has(set)) this.#sets.leave(set, name);
      }
    }
  }

  #compile({ key, direction }: ChainOwner): CompiledChain {
    const entry = this.#policies.get(key);
    if (entry === undefined || this.#quarantined.has(key)) return closedChain(direction);
    return compileChain(entry.policy, direction);
  }

  #useSets(chain: string, { sources }: CompiledChain): void {
    for (const [name, source] of sources) this.#sets.use(name, { source, chain });
  }

  #rememberChain(name: string): void {
    this.#names = undefined;
    if (!this.#chainMemories.has(name)) this.#chainMemories.set(name, this.#chains.get(name)?.compiled.chain);
  }
}

function ownersOf({ key, chains }: PolicyEntry): [string, ChainOwner][] {
  return DIRECTIONS.flatMap((direction): [string, ChainOwner][] => {
    const name = chains[direction];
    return name === undefined ? [] : [[name, { key, direction }]];
  });
}

function askedBy(pod: IsolatedPod | undefined): ReadonlySet<string> {
  return new Set(pod && Object.values(pod.chains).flat());
}

function takeChanges<T>(
  memories: Map<string, T | undefined>,
  now: (name: string) => T | undefined,
): Map<string, Change<T>> {
  const changes = new Map<string, Change<T>>();
  for (const [name, before] of memories) {
    const after = now(name);
    if (before === after || textOf(before) === textOf(after)) continue;
    changes.set(name, { ...(before !== undefined && { before }), ...(after !== undefined && { after }) });
  }
  memories.clear();
  return changes;
}

/** @returns a text that equal values share */
function textOf(value: unknown): string | undefined {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? `${each}n` : each));
}
