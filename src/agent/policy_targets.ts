import type { Allocation } from "../ipam/allocation.ts";
import { LOG_DROPS, parseSwitch } from "../pod/parse_switch.ts";
import type { Pod } from "../pod/pod.ts";
import type { PolicyTarget } from "../policy/policy_world.ts";
import { podOf } from "./pod_of.ts";

/** Who is told of the targets, by the host end of their link; undefined: none any more. */
export interface TargetSink {
  setTarget(link: string, target: PolicyTarget | undefined): void;
}

interface Known {
  /** As last seen. Undefined: nobody has seen it. */
  readonly pod: Pod | undefined;
  readonly target: PolicyTarget;
}

/**
 * This node's pods as targets of policies. A pod stays one as long as its link is there: what is last known of it
 * counts when the API server has forgotten it, or has another one of its name by now; and neither the record nor the
 * API server says when a link is gone, but who removed it.
 */
export class PolicyTargets {
  // host end of the link -> its pod
  readonly #known = new Map<string, Known>();

  constructor(private readonly sink: TargetSink) {}

  /**
   * Takes a pod up before its link is there.
   *
   * @param pod as the API server has it; undefined: it could not be learned
   * @returns undefined for a container of which nobody has said that it is a pod
   */
  learn(allocation: Allocation, pod: Pod | undefined): PolicyTarget | undefined {
    return this.#note(allocation, pod ?? this.#known.get(allocation.hostLink)?.pod);
  }

  /** Brings all up to date. */
  refresh(allocations: readonly Allocation[], pods: ReadonlyMap<string, Pod>): void {
    for (const each of allocations) this.learn(each, podOf(each, pods));
  }

  /** To be called when the link is gone, and not before. */
  release(link: string): void {
    if (this.#known.delete(link)) this.sink.setTarget(link, undefined);
  }

  /** Host end of the link -> target */
  get all(): ReadonlyMap<string, PolicyTarget> {
    return new Map([...this.#known].map(([link, { target }]) => [link, target]));
  }

  #note(allocation: Allocation, pod: Pod | undefined): PolicyTarget | undefined {
    const known = this.#known.get(allocation.hostLink);
    if (known !== undefined && known.pod === pod) return known.target;
    const target = targetOf(allocation, pod);
    if (target === undefined) return undefined;
    this.#known.set(allocation.hostLink, { pod, target });
    this.sink.setTarget(allocation.hostLink, target);
    return target;
  }
}

/** Without labels every policy of the namespace is taken to select it, and allows it nothing: nobody knows better. */
function targetOf({ pod: identity }: Allocation, pod: Pod | undefined): PolicyTarget | undefined {
  if (pod !== undefined) {
    const { namespace, labels, ports, annotations } = pod;
    return { namespace, labels, ports, logDrops: logsDrops(annotations.get(LOG_DROPS)) };
  }
  return identity && { namespace: identity.namespace, ports: [], logDrops: false };
}

/** An edit of a running pod that breaks the rule switches it off. */
function logsDrops(text: string | undefined): boolean {
  try {
    return parseSwitch(LOG_DROPS, text) ?? false;
  } catch {
    return false;
  }
}
