import type { PodIdentity } from "../cnispec/cni_args.ts";
import type { CniError } from "../cnispec/cni_error.ts";
import type { KubeClient } from "../kube/kube_client.ts";
import { DELETED_MEANWHILE } from "./late_adds.ts";
import { EVENT_REASONS, isPodReason, type ReasonOn } from "./event_reasons.ts";

/** Reasons of the Events that flock puts on pods. */
export type PodEventReason = ReasonOn<"Pod">;

/** What is to be told of a pod. */
export interface PodWarning {
  readonly reason: PodEventReason;
  readonly message: string;
  /** Of the call that it is about. */
  readonly requestId?: string | undefined;
  /** Whether the message is another one each time, and not worth an Event of its own. */
  readonly latestOnly?: boolean;
}

/** Puts Warning Events on pods. Never throws, never blocks. */
export class PodEvents {
  constructor(private readonly kube: Pick<KubeClient, "recordEvent">) {}

  /** @param identity absent: nobody to tell */
  warn(identity: PodIdentity | undefined, { reason, message, requestId, latestOnly }: PodWarning): void {
    if (identity === undefined) return;
    this.kube.recordEvent({
      involved: { apiVersion: "v1", kind: "Pod", ...identity },
      type: EVENT_REASONS[reason].type,
      reason,
      message,
      ...(requestId === undefined ? {} : { requestId }),
      ...(latestOnly === true ? { series: "" } : {}),
    });
  }

  /** Tells of an ADD that failed, but for one whose container was deleted meanwhile: nobody waits for that. */
  refused(identity: PodIdentity | undefined, error: CniError, requestId: string): void {
    if (error.reason === DELETED_MEANWHILE) return;
    const reason = isPodReason(error.reason) ? error.reason : "AddFailed";
    // Most name the sandbox, which is another one with each try; what an annotation breaks is the same each time.
    this.warn(identity, { reason, message: error.message, requestId, latestOnly: reason !== "InvalidAnnotation" });
  }
}
