import type { KubeClient } from "../kube/kube_client.ts";
import type { NetworkPolicy } from "../policy/network_policy.ts";

/**
 * Why a policy is not in force as it is written. `PolicyInvalid`: it cannot be compiled; `PolicyQuarantined`: the
 * kernel or nft refused what it was compiled to.
 */
export type PolicyProblemReason = "PolicyInvalid" | "PolicyQuarantined";

/** A policy that isolates what it selects, and allows nothing: it fails closed for its own pods (spec section 9). */
export interface PolicyProblem {
  readonly policy: Pick<NetworkPolicy, "namespace" | "name">;
  readonly reason: PolicyProblemReason;
  /** What is wrong, for an operator. */
  readonly state: string;
}

/** Keeps what is wrong with policies, and tells each once, by an Event on the policy. */
export class PolicyProblems {
  #list: readonly PolicyProblem[] = [];
  #told: ReadonlySet<string> = new Set();

  constructor(private readonly kube: Pick<KubeClient, "recordEvent">) {}

  /** The same array until something is new. */
  get list(): readonly PolicyProblem[] {
    return this.#list;
  }

  /** @param problems all that there are. @returns those that are new */
  set(problems: readonly PolicyProblem[]): readonly PolicyProblem[] {
    const texts = new Set(problems.map(textOf));
    if (texts.size === this.#told.size && texts.isSubsetOf(this.#told)) return [];
    const news = problems.filter((each) => !this.#told.has(textOf(each)));
    [this.#list, this.#told] = [problems, texts];
    for (const each of news) this.#tell(each);
    return news;
  }

  #tell({ policy: { namespace, name }, reason, state }: PolicyProblem): void {
    this.kube.recordEvent({
      involved: { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", namespace, name },
      type: "Warning",
      reason,
      message: `The pods that it selects are isolated, and it allows them nothing: ${state}`,
    });
  }
}

function textOf({ policy: { namespace, name }, reason, state }: PolicyProblem): string {
  return JSON.stringify([namespace, name, reason, state]);
}
