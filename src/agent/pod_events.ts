import type { PodIdentity } from "../cnispec/cni_args.ts";
import type { KubeClient } from "../kube/kube_client.ts";

/** Reasons of the Events that flock puts on pods. */
export type PodEventReason =
  | "InvalidAnnotation"
  | "AnnotationIgnored"
  | "AddressPoolExhausted"
  | "HostPortWithoutPortmap"
  | "PrimaryAddressKept";

/** Puts Warning Events on pods. Never throws, never blocks. */
export class PodEvents {
  constructor(private readonly kube: KubeClient) {}

  /** @param identity absent: nobody to tell */
  warn(identity: PodIdentity | undefined, reason: PodEventReason, message: string): void {
    if (identity === undefined) return;
    this.kube.recordEvent({
      involved: { apiVersion: "v1", kind: "Pod", ...identity },
      type: "Warning",
      reason,
      message,
    });
  }
}
