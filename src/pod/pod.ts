import type { Labels, NamedPort } from "../policy/policy_world.ts";

/** What flock keeps of a pod; the rest of the object is dropped as it is decoded. */
export interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** For the mirror of a static pod: the UID that kubelet gives the runtime (`kubernetes.io/config.hash`). */
  readonly staticHash?: string;
  /** Image of the first container, as written in the spec. */
  readonly image: string;
  readonly hostNetwork: boolean;
  /** Canonical texts of what its status says it is known by. */
  readonly ips: readonly string[];
  readonly hasHostPort: boolean;
  /** Its condition Ready: probes, containers and readiness gates. */
  readonly ready: boolean;
  /** Whether it is being deleted (`deletionTimestamp`). */
  readonly terminating: boolean;
  /** flock's own annotations, without the prefix: `ipv6` -> `true`. */
  readonly annotations: ReadonlyMap<string, string>;
  readonly labels: Labels;
  /** The ports of its containers that have names. */
  readonly ports: readonly NamedPort[];
}

/** Says whether traffic for many may be sent to the pod: it is Ready, and is not being deleted (spec section 8). */
export function isServing({ ready, terminating }: Pick<Pod, "ready" | "terminating">): boolean {
  return ready && !terminating;
}

/**
 * Says whether the pod is the one that the runtime knows by that UID: that of the pod, or for a static one kubelet's
 * own.
 */
export function isSamePod(pod: Pick<Pod, "uid" | "staticHash">, identity: { readonly uid: string }): boolean {
  return pod.uid === identity.uid || pod.staticHash === identity.uid;
}
