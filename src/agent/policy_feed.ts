import type { Watched } from "../kube/kube_client.ts";
import type { Pod } from "../pod/pod.ts";
import type { NetworkPolicy } from "../policy/network_policy.ts";
import type { PolicyCompiler } from "../policy/policy_compiler.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import type { PolicyQuarantine } from "./policy_quarantine.ts";
import type { PolicySources, SourceChanges } from "./policy_sources.ts";
import type { PolicyTargets } from "./policy_targets.ts";

export interface PolicyFeedDependencies {
  readonly sources: Pick<PolicySources, "policies" | "namespaces" | "pods" | "onChange">;
  /** The pods of this node. */
  readonly pods: Pick<Watched<Pod>, "items" | "onChange">;
  readonly ledger: Pick<AllocationLedger, "all">;
  readonly compiler: Pick<PolicyCompiler, "setNamespace" | "setPod" | "setPolicy">;
  readonly targets: Pick<PolicyTargets, "refresh">;
  readonly quarantine: Pick<PolicyQuarantine, "release">;
  /** Rings when something was heard; `news` when it is of the policies' sources, and no pod of this node. */
  heard(options: { readonly news: boolean }): void;
}

/** Hears what policies depend on, and hands the compiler what has changed when it is asked to: each thing as it is by then. */
export class PolicyFeed {
  #changed: ReturnType<typeof noChanges>;
  /** Whether this node's pods have to be gone through. */
  #podsChanged = true;
  // policies that have changed since they were last settled
  readonly #touched = new Set<string>();
  readonly #defective = new Map<string, NetworkPolicy>();

  constructor(private readonly deps: PolicyFeedDependencies) {
    const { policies, namespaces, pods } = deps.sources;
    this.#changed = {
      policies: new Set(policies.keys()),
      namespaces: new Set(namespaces.keys()),
      pods: new Set(pods.keys()),
    };
    deps.sources.onChange((changes) => this.#hear(changes));
    deps.pods.onChange(() => this.#hearPods());
  }

  /** `namespace/name` of the policies that were handed over and not settled yet. */
  get touched(): ReadonlySet<string> {
    return this.#touched;
  }

  /** `namespace/name` -> policy that cannot be compiled as it is written. */
  get defective(): ReadonlyMap<string, NetworkPolicy> {
    return this.#defective;
  }

  /** Hands over what has changed since the last call. */
  feed(): void {
    const { sources, pods, ledger, compiler, targets } = this.deps;
    const { policies, namespaces, pods: peers } = this.#changed;
    this.#changed = noChanges();
    for (const key of namespaces) compiler.setNamespace(key, sources.namespaces.get(key));
    for (const key of peers) compiler.setPod(key, sources.pods.get(key));
    for (const key of policies) this.#feedPolicy(key, sources.policies.get(key));
    if (this.#podsChanged) targets.refresh(ledger.all(), pods.items);
    this.#podsChanged = false;
  }

  /** These policies are in the kernel by now. */
  settle(policies: Iterable<string>): void {
    for (const key of policies) this.#touched.delete(key);
  }

  /** One that has changed may be better now. */
  #feedPolicy(key: string, policy: NetworkPolicy | undefined): void {
    this.deps.compiler.setPolicy(key, policy);
    this.#touched.add(key);
    this.deps.quarantine.release(key);
    if (policy?.defect === undefined) this.#defective.delete(key);
    else this.#defective.set(key, policy);
  }

  #hear(changes: SourceChanges): void {
    for (const kind of ["policies", "namespaces", "pods"] as const) {
      for (const key of changes[kind]) this.#changed[kind].add(key);
    }
    this.deps.heard({ news: true });
  }

  #hearPods(): void {
    this.#podsChanged = true;
    this.deps.heard({ news: false });
  }
}

function noChanges(): Record<keyof SourceChanges, Set<string>> {
  return { policies: new Set(), namespaces: new Set(), pods: new Set() };
}
