import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { KubeClient, Watched } from "../kube/kube_client.ts";
import type { TextTable } from "../nft/text_table.ts";
import type { Pod } from "../pod/pod.ts";
import { explainNames } from "../policy/describe.ts";
import { isSelected } from "../policy/isolate_pod.ts";
import type { NetworkPolicy } from "../policy/network_policy.ts";
import type { PolicyChanges } from "../policy/policy_changes.ts";
import { PolicyCompiler } from "../policy/policy_compiler.ts";
import type { PolicyNames } from "../policy/policy_names.ts";
import type { PolicyTable } from "../policy/policy_table.ts";
import type { PolicyTarget } from "../policy/policy_world.ts";
import { renderPolicyChanges } from "../policy/render_policy_changes.ts";
import { renderPolicyTable } from "../policy/render_policy_table.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { REPAIRED } from "./journal.ts";
import { type PolicyProblem, PolicyProblems } from "./policy_problems.ts";
import { isRefusal, PolicyQuarantine } from "./policy_quarantine.ts";
import type { PolicySources, SourceChanges } from "./policy_sources.ts";
import { PolicyTargets } from "./policy_targets.ts";

export interface PolicyReconcilerDependencies {
  readonly sources: Pick<PolicySources, "synced" | "policies" | "namespaces" | "pods" | "onChange">;
  /** The pods of this node. */
  readonly pods: Pick<Watched<Pod>, "synced" | "items" | "onChange">;
  readonly ledger: Pick<AllocationLedger, "all">;
  readonly table: TextTable;
  readonly kube: Pick<KubeClient, "recordEvent">;
  readonly clock: Pick<Clock, "monotonic">;
  readonly logger: Logger;
}

/** Differences that are named one by one. */
const MAX_SHOWN = 20;

/**
 * Keeps the policies in force on this node. Level-triggered: an event says what to look up, a pass looks it up and brings the kernel's table up to it.
 *
 * Nothing is written before all that the table depends on has been heard: until then the table of the agent before stays in force (NP-46, NP-47).
 */
export class PolicyReconciler {
  readonly targets: PolicyTargets;
  readonly #compiler = new PolicyCompiler();
  readonly #problems: PolicyProblems;
  readonly #quarantine: PolicyQuarantine;
  #bell = (): void => {};
  #programmed = (_seconds: number): void => {};
  /** When the oldest change was heard that the kernel does not have yet, monotonic milliseconds. */
  #heardAt: number | undefined;
  #changed: ReturnType<typeof noChanges>;
  /** Whether this node's pods have to be gone through. */
  #podsChanged = true;
  /** Whether the kernel's table is known to be what the compiler has last said. */
  #whole = false;
  #inForce = false;
  #failure: string | undefined;
  #doubt: "changed" | "look" | undefined;
  // policies that have changed since the table was last whole
  readonly #touched = new Set<string>();
  readonly #defective = new Map<string, NetworkPolicy>();
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(private readonly deps: PolicyReconcilerDependencies) {
    this.targets = new PolicyTargets(this.#compiler);
    this.#problems = new PolicyProblems(deps.kube);
    this.#quarantine = new PolicyQuarantine(this.#compiler, deps.table);
    const { policies, namespaces, pods } = deps.sources;
    this.#changed = {
      policies: new Set(policies.keys()),
      namespaces: new Set(namespaces.keys()),
      pods: new Set(pods.keys()),
    };
    deps.sources.onChange((changes) => this.#hear(changes));
    deps.pods.onChange(() => this.#hearPods());
  }

  /** Whether all that was heard may be in force: everything has been listed, and the table was written by this process. */
  get inForce(): boolean {
    return this.#inForce && this.deps.sources.synced;
  }

  /** Policies that are not in force as they are written; the same array until that changes. */
  get problems(): readonly PolicyProblem[] {
    return this.#problems.list;
  }

  /** Why the last pass left the kernel as it was; undefined: it did not. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** What the kernel should have. */
  get table(): PolicyTable {
    return this.#compiler.table;
  }

  /** What people call all that is in it. */
  get names(): PolicyNames {
    return this.#compiler.names;
  }

  /** @param bell rings when there is something to do for `settle`; there is one bell */
  onChange(bell: () => void): void {
    this.#bell = bell;
  }

  /** @param listener is told how long it took from hearing of a change until it was in the kernel, where it made one there; there is one */
  onProgrammed(listener: (seconds: number) => void): void {
    this.#programmed = listener;
  }

  /** Somebody may have altered the kernel's table. @param options whether that is known, or has to be looked for */
  doubt({ touched }: { touched: boolean }): void {
    if (touched) this.#doubt = "changed";
    else this.#doubt ??= "look";
    this.#bell();
  }

  /** A link of a pod is gone. */
  release(link: string): void {
    this.targets.release(link);
    this.#bell();
  }

  /** Whether a policy that has been heard of isolates the pod. */
  isolates(target: PolicyTarget): boolean {
    if (this.#quarantine.searching) return true; // nobody knows before the next pass
    this.#feed();
    return this.#compiler.isolates(target);
  }

  /**
   * Brings the kernel up to what has been heard by now. Calls made while a pass runs share the next one.
   *
   * @throws what kept the kernel as it was; the next pass tries again
   */
  settle(): Promise<void> {
    this.#next ??= this.#last.then(() => {
      this.#next = undefined;
      return this.#tryPass();
    });
    this.#last = this.#next.catch(() => {});
    return this.#next;
  }

  #hear(changes: SourceChanges): void {
    this.#heardAt ??= this.deps.clock.monotonic();
    for (const kind of ["policies", "namespaces", "pods"] as const) {
      for (const key of changes[kind]) this.#changed[kind].add(key);
    }
    this.#bell();
  }

  #hearPods(): void {
    this.#podsChanged = true;
    this.#bell();
  }

  async #tryPass(): Promise<void> {
    try {
      await this.#pass();
      this.#failure = undefined;
    } catch (error) {
      this.#failure = String(error);
      throw error;
    }
  }

  async #pass(): Promise<void> {
    const { sources, pods, clock, logger } = this.deps;
    const isKnown = sources.synced && pods.synced;
    const counts = { policies: sources.policies.size, pods: sources.pods.size };
    if (isKnown && !this.#inForce) logger.info("policies known", counts);
    this.#feed(); // also while pods are still being listed: that is time that nothing else needs
    if (!isKnown) return;
    const [touched, begunAt] = [[...this.#touched], clock.monotonic()];
    await this.#applyInTime();
    for (const key of touched) this.#touched.delete(key);
    if (!this.#inForce) logger.info("policies in force", counts);
    else if (touched.length > 0) {
      const [shown, ms] = [touched.slice(0, MAX_SHOWN), Math.round(clock.monotonic() - begunAt)];
      logger.info("policies changed", { policies: shown, of: touched.length, ms });
    }
    this.#inForce = true;
    this.#judge();
  }

  /** Hands the compiler what has changed since it was last asked. */
  #feed(): void {
    const { sources, pods, ledger } = this.deps;
    const { policies, namespaces, pods: peers } = this.#changed;
    this.#changed = noChanges();
    for (const key of namespaces) this.#compiler.setNamespace(key, sources.namespaces.get(key));
    for (const key of peers) this.#compiler.setPod(key, sources.pods.get(key));
    for (const key of policies) this.#feedPolicy(key, sources.policies.get(key));
    if (this.#podsChanged) this.targets.refresh(ledger.all(), pods.items);
    this.#podsChanged = false;
  }

  /** One that has changed may be better now. */
  #feedPolicy(key: string, policy: NetworkPolicy | undefined): void {
    this.#compiler.setPolicy(key, policy);
    this.#touched.add(key);
    this.#quarantine.release(key);
    if (policy?.defect === undefined) this.#defective.delete(key);
    else this.#defective.set(key, policy);
  }

  /** What is heard while the kernel is being written is the next pass's. */
  async #applyInTime(): Promise<void> {
    const heardAt = this.#heardAt;
    this.#heardAt = undefined;
    try {
      const isWritten = await this.#apply();
      if (isWritten && heardAt !== undefined) this.#programmed((this.deps.clock.monotonic() - heardAt) / 1000);
    } catch (error) {
      this.#heardAt = heardAt ?? this.#heardAt;
      throw error;
    }
  }

  /** @returns whether anything was written */
  async #apply(): Promise<boolean> {
    const changes = this.#compiler.takeChanges();
    if (this.#whole && changes !== undefined) this.#whole = await this.#change(changes);
    if (this.#whole) this.#whole = await this.#looksRight();
    const replaces = !this.#whole;
    if (replaces) await this.#replace();
    return replaces || changes !== undefined;
  }

  /** @returns false when the kernel did not take it, or nobody knows */
  async #change(changes: PolicyChanges): Promise<boolean> {
    try {
      for (const commands of renderPolicyChanges(changes)) await this.deps.table.change(commands);
      return true;
    } catch (error) {
      this.deps.logger.warn("policies not changed, replacing their table", { error: String(error) });
      return false;
    }
  }

  /** Costs nothing while nobody doubts it. @throws when nobody can tell; it is doubted still */
  async #looksRight(): Promise<boolean> {
    const doubt = this.#doubt;
    if (doubt === undefined) return true;
    this.#doubt = undefined;
    try {
      const phrases = doubt === "changed" ? ["the table of the policies, which others changed"] : await this.#drift();
      for (const what of phrases.slice(0, MAX_SHOWN)) {
        this.deps.logger.warn(REPAIRED, {
          what: explainNames(what, (name) => this.#compiler.describe(name)),
          part: "policies",
        });
      }
      return phrases.length === 0;
    } catch (error) {
      this.#doubt ??= doubt;
      throw error;
    }
  }

  /** What an ADD or DEL has told the compiler meanwhile is not in the kernel yet, and no difference: it is written first. */
  async #drift(): Promise<readonly string[]> {
    for (let changes = this.#compiler.takeChanges(); changes !== undefined; changes = this.#compiler.takeChanges()) {
      if (!await this.#change(changes)) return ["the table of the policies, which took no change"];
    }
    const drift = await this.deps.table.drift(renderPolicyTable(this.#compiler.table));
    return drift ?? ["the table of the policies is gone"];
  }

  async #replace(): Promise<void> {
    try {
      await this.#writeWhole();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await this.#close(error);
      await this.#writeWhole();
    }
    this.#whole = true;
  }

  /** Taken and rendered in the same turn: what comes later is a change of this table, and a doubt about it. */
  async #writeWhole(): Promise<void> {
    this.#doubt = undefined;
    this.#compiler.takeChanges();
    await this.deps.table.replace(renderPolicyTable(this.#compiler.table));
  }

  /** First among the policies that have just changed: the kernel has taken the others. @throws the refusal, when no policy is to blame */
  async #close(refusal: Error): Promise<void> {
    const all = [...this.deps.sources.policies.keys()];
    const policies = await this.#quarantine.close([all.filter((key) => this.#touched.has(key)), all], refusal);
    if (policies.length === 0) this.deps.logger.warn("table of the policies refused once", { error: refusal.message });
    else this.deps.logger.error("policies quarantined", { policies, error: refusal.message });
  }

  /** Every node that has a pod of a bad policy says so; the others have nothing to say. */
  #judge(): void {
    if (this.#defective.size + this.#quarantine.closed.size + this.problems.length === 0) return;
    const targets = [...this.targets.all.values()];
    const invalid = [...this.#defective.values()].filter((policy) => targets.some((each) => isSelected(each, policy)));
    const quarantined = [...this.#quarantine.closed].flatMap(([key, state]) => {
      const policy = this.deps.sources.policies.get(key);
      return policy === undefined ? [] : [{ policy, reason: "PolicyQuarantined" as const, state }];
    });
    const news = this.#problems.set([
      ...invalid.map((policy) => ({ policy, reason: "PolicyInvalid" as const, state: policy.defect ?? "" })),
      ...quarantined,
    ]);
    for (const { policy: { namespace, name }, reason, state } of news) {
      this.deps.logger.warn("policy not in force", { policy: `${namespace}/${name}`, reason, state });
    }
  }
}

function noChanges(): Record<keyof SourceChanges, Set<string>> {
  return { policies: new Set(), namespaces: new Set(), pods: new Set() };
}
