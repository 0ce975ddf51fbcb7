import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import { InvalidInput } from "../fault/invalid_input.ts";
import type { Logger } from "../log/logger.ts";
import { checkClaims } from "../pod/check_claims.ts";
import type { Claims } from "../pod/claims.ts";
import { type AddressRequest, resolveAddressRequest } from "../pod/resolve_address_request.ts";
import type { NodeTerms, TimedAddRequest } from "./add.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { type ClaimInquiry, type Findings, untoldClaims } from "./claim_inquiry.ts";
import { earlierHolders, surroundingsOf } from "./claim_surroundings.ts";
import type { ContainerQueue } from "./container_queue.ts";
import type { DelOperation } from "./del.ts";
import type { PodEvents, PodWarning } from "./pod_events.ts";
import type { PodFacts } from "./pod_source.ts";

export interface PodRequestDependencies {
  readonly ledger: AllocationLedger;
  readonly inquiry: Pick<ClaimInquiry, "ask">;
  readonly del: DelOperation;
  readonly queue: ContainerQueue;
  readonly events: PodEvents;
  readonly logger: Logger;
  /** Wall clock, milliseconds since the epoch. */
  wall(): number;
}

type Subject = Pick<TimedAddRequest, "pod" | "containerId" | "requestId">;

/** Makes of a pod's annotations what its ADD asks of the ledger, and tells the pod's owner what is wrong with them. */
export class PodRequest {
  constructor(private readonly deps: PodRequestDependencies) {}

  /** @throws CniError 101 naming annotation, value and rule */
  resolve(subject: Subject, { facts, config }: { facts: PodFacts; config: NodeTerms["config"] }): AddressRequest {
    const { pod } = subject;
    const identity = { namespace: pod?.namespace ?? "", name: pod?.name ?? "" };
    try {
      const resolved = resolveAddressRequest({
        identity: facts.image === undefined ? identity : { ...identity, image: facts.image },
        annotations: facts.annotations,
        config,
      });
      for (const message of resolved.warnings) this.#warn(subject, { reason: "AnnotationIgnored", message });
      this.#warnOfHostPort(subject, { facts, config });
      return resolved;
    } catch (error) {
      throw error instanceof InvalidInput ? refusal(error) : error;
    }
  }

  /**
   * An earlier sandbox of the pod has ended when kubelet asks for a new one, but its DEL may come late or never: its addresses are the
   * pod's, so it goes now.
   */
  async takeOver(claimant: Subject, claims: Claims): Promise<void> {
    const { ledger, del, queue, logger } = this.deps;
    for (const earlier of earlierHolders(claims, { all: ledger.all(), claimant })) {
      const { requestId } = claimant;
      logger.info("earlier sandbox replaced", {
        request: requestId,
        container: earlier.containerId,
        by: claimant.containerId,
      });
      await queue.run(earlier.containerId, () => del.run({ ...earlier, at: this.deps.wall(), requestId }));
    }
  }

  /**
   * Asks whose the claimed addresses in other nodes' CIDRs are; bounded. While the API server does not answer, a pod starts without those
   * of `anycast`, which `ClaimReconciler` gives it later; those of `addresses` it is known by for its life, so its ADD fails.
   *
   * @returns what may be given now, and who has some of it. @throws CniError 11 naming annotation, value and why nobody can tell
   */
  async inquire(
    subject: Subject,
    { claims, terms }: { claims: Claims; terms: NodeTerms },
  ): Promise<{ claims: Claims; holders: Findings["holders"] }> {
    const { addresses, anycast } = claims;
    const { holders, untold } = await this.deps.inquiry.ask([...addresses, ...anycast], terms.otherNodes);
    const unusable = untoldClaims(claims, { keys: ["addresses"], untold });
    if (unusable.length > 0) throw unchecked(new InvalidInput(unusable));
    const waiting = untoldClaims(claims, { keys: ["anycast"], untold });
    if (waiting.length === 0) return { claims, holders };
    this.#warn(subject, { reason: "ClaimUnchecked", message: new InvalidInput(waiting).message });
    return { claims: { addresses, anycast: anycast.filter(({ text }) => !untold.has(text)) }, holders };
  }

  /** To be called in the same turn as the addresses are taken. @throws CniError 101 naming annotation, value and holder */
  check(
    claimant: Subject,
    { claims, terms, holders }: { claims: Claims; terms: NodeTerms; holders: Findings["holders"] },
  ): void {
    const problems = checkClaims(claims, surroundingsOf(terms, { all: this.deps.ledger.all(), claimant, holders }));
    if (problems.length > 0) throw refusal(new InvalidInput(problems));
  }

  #warnOfHostPort(subject: Subject, { facts, config }: { facts: PodFacts; config: NodeTerms["config"] }): void {
    if (facts.pod?.hasHostPort !== true || config.portmap) return;
    const message = "hostPort has no effect: spec.portmap of the NodeConfig is off";
    this.#warn(subject, { reason: "HostPortWithoutPortmap", message });
  }

  #warn({ pod, requestId }: Subject, warning: PodWarning): void {
    this.deps.events.warn(pod, { ...warning, requestId });
  }
}

function unchecked(cause: InvalidInput): CniError {
  return new CniError(CNI_CODE.tryAgainLater, cause.message, { cause, reason: "ClaimUnchecked" });
}

function refusal(cause: InvalidInput): CniError {
  return new CniError(CNI_CODE.invalidAnnotation, cause.message, { cause, reason: "InvalidAnnotation" });
}
