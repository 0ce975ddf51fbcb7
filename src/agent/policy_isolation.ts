import type { Clock } from "../clock/clock.ts";
import type { PodIdentity } from "../cnispec/cni_args.ts";
import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import type { Allocation } from "../ipam/allocation.ts";
import type { TextTable } from "../nft/text_table.ts";
import type { Pod } from "../pod/pod.ts";
import { portsChainsOf } from "../policy/lay_out_chain.ts";
import { podChainName } from "../policy/names.ts";
import { DIRECTIONS } from "../policy/network_policy.ts";
import type { IsolatedPod, PolicyTable } from "../policy/policy_table.ts";
import type { PolicyTarget } from "../policy/policy_world.ts";
import { renderPolicyTable } from "../policy/render_policy_table.ts";
import { setsOf } from "../policy/render_rule.ts";
import { SERVER_LATE_MS } from "./node_reconciler.ts";
import type { PodIsolation } from "./pod_isolation.ts";
import type { PolicyNamespaces } from "./policy_namespaces.ts";
import type { PolicyReconciler } from "./policy_reconciler.ts";

/** How long an ADD waits for the policies to be heard and in force, in milliseconds. The runtime tries again. */
const WAIT_MS = 5_000;
const LOOK_MS = 20;

export interface PolicyIsolationDependencies {
  readonly reconciler: PolicyReconciler;
  readonly namespaces: Pick<PolicyNamespaces, "mayHave" | "heard">;
  readonly table: Pick<TextTable, "drift">;
  readonly clock: Clock;
}

/**
 * Isolates pods as they are added: before the runtime hears that a pod has a network, it has no more of it than
 * policies allow (NP-45).
 */
export class PolicyIsolation implements PodIsolation {
  readonly #startedAt: number;

  constructor(private readonly deps: PolicyIsolationDependencies) {
    this.#startedAt = deps.clock.monotonic();
  }

  /**
   * What an earlier agent had heard counts only where the API server does not answer: agent stops, policy comes, pod comes, agent starts, and the pod's ADD, which the runtime
   * has repeated all the while, is there before the list of policies is.
   */
  async admit(identity: PodIdentity | undefined, pod: Pod | undefined): Promise<void> {
    if (identity === undefined) return;
    const { reconciler, namespaces, clock } = this.deps;
    const lateAt = clock.monotonic() + WAIT_MS;
    await this.#wait(() => namespaces.heard, Math.min(this.#startedAt + SERVER_LATE_MS, lateAt));
    if (!this.#mayConcern(identity)) return;
    await this.#wait(() => reconciler.inForce, lateAt);
    if (!this.#mayConcern(identity)) return;
    if (!reconciler.inForce) throw refusal(identity, "the API server has not told of all policies yet");
    if (pod === undefined) throw refusal(identity, "its labels are unknown, and its namespace has policies");
  }

  async isolate(allocation: Allocation, pod?: Pod): Promise<void> {
    const { reconciler } = this.deps;
    const target = reconciler.targets.learn(allocation, pod);
    if (target === undefined) return;
    await this.#waitForFirst(allocation, target);
    if (!reconciler.inForce || !reconciler.isolates(target)) return;
    try {
      await reconciler.settle();
    } catch (cause) {
      const state = `Cannot isolate ${allocation.hostLink}: ${String(cause)}`;
      throw new CniError(CNI_CODE.tryAgainLater, state, { cause, reason: "AttachFailed" });
    }
  }

  release(link: string): void {
    this.deps.reconciler.release(link);
  }

  async check({ hostLink }: Allocation): Promise<readonly string[]> {
    const { reconciler: { table }, table: kernel } = this.deps;
    const pod = table.pods.get(hostLink);
    if (pod === undefined) return [];
    const drift = await kernel.drift(renderPolicyTable(table));
    if (drift === undefined) return ["the table of the policies, which isolate the pod, is missing"];
    const names = namesOf(hostLink, { pod, table });
    return drift.filter((phrase) => phrase.split(/[ :,]/).some((word) => names.has(word)));
  }

  #mayConcern({ namespace }: PodIdentity): boolean {
    return this.deps.namespaces.mayHave(namespace);
  }

  /** The cluster's first policy may come after admit(): the cluster's pods and namespaces are listed only from then on. */
  async #waitForFirst({ hostLink }: Allocation, { namespace }: PolicyTarget): Promise<void> {
    const { reconciler, namespaces, clock } = this.deps;
    if (reconciler.inForce || !namespaces.heard || !namespaces.mayHave(namespace)) return;
    await this.#wait(() => reconciler.inForce, clock.monotonic() + WAIT_MS);
    if (reconciler.inForce) return;
    const state = "the API server has not told of what its policies are about yet";
    throw new CniError(CNI_CODE.tryAgainLater, `Cannot isolate ${hostLink}: ${state}`, { reason: "PoliciesUnknown" });
  }

  /** @param until monotonic milliseconds */
  async #wait(isDone: () => boolean, until: number): Promise<void> {
    const { clock } = this.deps;
    while (!isDone() && clock.monotonic() < until) await clock.sleep(LOOK_MS);
  }
}

/** What of the table the pod's isolation is made of. */
function namesOf(link: string, { pod, table }: { pod: IsolatedPod; table: PolicyTable }): ReadonlySet<string> {
  const chains = DIRECTIONS.flatMap((direction) => pod.chains[direction] ?? []);
  const asked = chains.flatMap((name) => table.chains.get(name) ?? []);
  return new Set([
    link,
    "ingress",
    "egress",
    ...DIRECTIONS.map((each) => podChainName(link, each)),
    ...chains,
    ...asked.flatMap((chain) => [...setsOf(chain), ...portsChainsOf(chain).keys()]),
  ]);
}

function refusal({ namespace, name }: PodIdentity, state: string): CniError {
  return new CniError(CNI_CODE.tryAgainLater, `Cannot isolate pod ${namespace}/${name}: ${state}`, {
    reason: "PoliciesUnknown",
  });
}
