import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { KubeClient, Watched } from "../kube/kube_client.ts";
import type { TextTable } from "../nft/text_table.ts";
import type { Pod } from "../pod/pod.ts";
import { isSelected } from "../policy/isolate_pod.ts";
import { PolicyCompiler } from "../policy/policy_compiler.ts";
import type { PolicyNames } from "../policy/policy_names.ts";
import type { PolicyTable } from "../policy/policy_table.ts";
import type { PolicyTarget } from "../policy/policy_world.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { PolicyFeed } from "./policy_feed.ts";
import { type PolicyProblem, PolicyProblems } from "./policy_problems.ts";
import { PolicyQuarantine } from "./policy_quarantine.ts";
import type { PolicySources } from "./policy_sources.ts";
import { PolicyTableWriter } from "./policy_table_writer.ts";
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

/** Policies that are named one by one. */
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
  readonly #feed: PolicyFeed;
  readonly #writer: PolicyTableWriter;
  #inForce = false;
  #failure: string | undefined;
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(private readonly deps: PolicyReconcilerDependencies) {
    this.targets = new PolicyTargets(this.#compiler);
    this.#problems = new PolicyProblems(deps.kube);
    this.#quarantine = new PolicyQuarantine(this.#compiler, deps.table);
    const [compiler, targets, quarantine] = [this.#compiler, this.targets, this.#quarantine];
    this.#feed = new PolicyFeed({ ...deps, compiler, targets, quarantine, heard: (what) => this.#hear(what) });
    this.#writer = new PolicyTableWriter({ ...deps, compiler, close: (refusal) => this.#close(refusal) });
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
    this.#writer.doubt({ touched });
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
    this.#feed.feed();
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

  #hear({ news }: { news: boolean }): void {
    if (news) this.#heardAt ??= this.deps.clock.monotonic();
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
    this.#feed.feed(); // also while pods are still being listed: that is time that nothing else needs
    if (!isKnown) return;
    const [touched, begunAt] = [[...this.#feed.touched], clock.monotonic()];
    await this.#applyInTime();
    this.#feed.settle(touched);
    if (!this.#inForce) logger.info("policies in force", counts);
    else if (touched.length > 0) {
      const [shown, ms] = [touched.slice(0, MAX_SHOWN), Math.round(clock.monotonic() - begunAt)];
      logger.info("policies changed", { policies: shown, of: touched.length, ms });
    }
    this.#inForce = true;
    this.#judge();
  }

  /** What is heard while the kernel is being written is the next pass's. */
  async #applyInTime(): Promise<void> {
    const heardAt = this.#heardAt;
    this.#heardAt = undefined;
    try {
      const isWritten = await this.#writer.write();
      if (isWritten && heardAt !== undefined) this.#programmed((this.deps.clock.monotonic() - heardAt) / 1000);
    } catch (error) {
      this.#heardAt = heardAt ?? this.#heardAt;
      throw error;
    }
  }

  /** First among the policies that have just changed: the kernel has taken the others. @throws the refusal, when no policy is to blame */
  async #close(refusal: Error): Promise<void> {
    const all = [...this.deps.sources.policies.keys()];
    const policies = await this.#quarantine.close([all.filter((key) => this.#feed.touched.has(key)), all], refusal);
    if (policies.length === 0) this.deps.logger.warn("table of the policies refused once", { error: refusal.message });
    else this.deps.logger.error("policies quarantined", { policies, error: refusal.message });
  }

  /** Every node that has a pod of a bad policy says so; the others have nothing to say. */
  #judge(): void {
    const { defective } = this.#feed;
    if (defective.size + this.#quarantine.closed.size + this.problems.length === 0) return;
    const targets = [...this.targets.all.values()];
    const invalid = [...defective.values()].filter((policy) => targets.some((each) => isSelected(each, policy)));
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
