import type { NetworkPolicy, Protocol } from "./network_policy.ts";

/** Label key -> value. Shared between objects that say the same: do not change. */
export type Labels = ReadonlyMap<string, string>;

/** A container's port that has a name. Of native sidecars too (`initContainers` with `restartPolicy: Always`). */
export interface NamedPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/**
 * A pod of the cluster, cut down to what makes it a peer. Pods that are none are not in the world: of the host's
 * network, finished (phase Succeeded or Failed), without an address. A pod that is being deleted is a peer until it is
 * finished.
 */
export interface PolicyPod {
  readonly namespace: string;
  readonly labels: Labels;
  /** Canonical texts: its `podIPs`, and what it claims by the annotations `anycast` and `addresses`. Never empty. */
  readonly addresses: readonly string[];
  readonly ports: readonly NamedPort[];
}

/** A pod of this node, to be isolated if a policy selects it. */
export interface PolicyTarget {
  readonly namespace: string;
  /**
   * Absent: nobody knows them. Then every policy of its namespace counts as selecting it, and none of them allows it
   * anything.
   */
  readonly labels?: Labels;
  readonly ports: readonly NamedPort[];
  /** Whether what is dropped is logged (annotation `log-drops`). */
  readonly logDrops: boolean;
}

/** All that NetworkPolicy depends on. */
export interface PolicyWorld {
  /** `namespace/name` -> policy */
  readonly policies: ReadonlyMap<string, NetworkPolicy>;
  /** namespace -> its labels. A namespace that is not in here has none. */
  readonly namespaces: ReadonlyMap<string, Labels>;
  /** `namespace/name` -> pod of the cluster, those of this node among them */
  readonly pods: ReadonlyMap<string, PolicyPod>;
  /** Host end of the pod's link -> pod of this node. A pod whose sandbox is made anew may have two. */
  readonly targets: ReadonlyMap<string, PolicyTarget>;
}
