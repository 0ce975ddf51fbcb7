import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import type { AddRequest } from "../cnispec/cni_request.ts";
import type { Clock } from "../clock/clock.ts";
import type { HostNetwork } from "../host/host_driver.ts";
import { hostLinkName, podMacOf } from "../hash/container_hash.ts";
import type { Address } from "../ip/address.ts";
import { type Allocation, allocationKey } from "../ipam/allocation.ts";
import { PoolExhausted } from "../ipam/ipam.ts";
import { AttachFailed, type AttachFault, type AttachmentDriver } from "../link/attachment_driver.ts";
import type { Logger } from "../log/logger.ts";
import type { PacketGuard } from "../nft/packet_guard.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import { isServing } from "../pod/pod.ts";
import { StateWriteFailed } from "../store/state.ts";
import { AddressTaken } from "./address_book.ts";
import type { OtherNode } from "./cluster_prefixes.ts";
import type { AllocationDraft, AllocationLedger, Reservation } from "./allocation_ledger.ts";
import { attachmentOf, grantsOf, isSameNetns } from "./attachment_state.ts";
import type { ReasonOn } from "./event_reasons.ts";
import type { LateAdds } from "./late_adds.ts";
import type { PodIsolation } from "./pod_isolation.ts";
import type { PodEvents } from "./pod_events.ts";
import { podNameOf } from "./pod_of.ts";
import type { PodRequest } from "./pod_request.ts";
import type { PodFacts, PodSource } from "./pod_source.ts";
import type { Call } from "./last_requests.ts";

/** An ADD, and when its plugin started (monotonic milliseconds, of `LateAdds.startOf`). */
export type TimedAddRequest = AddRequest & Call & { readonly startedAt: number };

/** What the node offers to a new pod. */
export interface NodeTerms {
  readonly config: NodeConfig;
  /** Bytes. */
  readonly mtu: number;
  /** The node's own addresses, those of pods' links left out. */
  readonly network: Pick<HostNetwork, "addresses">;
  /** Addresses inside the node's CIDRs that other nodes' pods answer, as far as known: reserved, whoever chose them (spec section 2). */
  readonly foreign: readonly Address[];
  /** Where other nodes and their pods are, as far as known. */
  readonly otherNodes: readonly OtherNode[];
}

export interface AddDependencies {
  readonly ledger: AllocationLedger;
  readonly driver: AttachmentDriver;
  readonly guard: PacketGuard;
  readonly isolation: PodIsolation;
  readonly pods: PodSource;
  readonly podRequest: PodRequest;
  readonly lateAdds: LateAdds;
  readonly events: PodEvents;
  readonly clock: Pick<Clock, "monotonic">;
  readonly logger: Logger;
  /** Waits, bounded, for a NodeConfig in force. @throws CniError 11 */
  terms(): Promise<NodeTerms>;
  /** Which namespace is at the path; undefined when none is, or when that cannot be told. */
  netnsAt(path: string): { readonly id: string } | undefined;
  /** The set of live addresses changed. */
  addressesChanged(): void;
  /** Somebody else changed the packet guard's table: it has to be looked at. */
  drifted(): void;
}

const CODE_OF_FAULT: Readonly<Record<AttachFault, number>> = {
  netnsMissing: CNI_CODE.unknownContainer,
  netnsIsHost: CNI_CODE.netnsIsHost,
  ifnameExists: CNI_CODE.invalidEnvironment,
  hostLinkTaken: CNI_CODE.tryAgainLater,
  failed: CNI_CODE.tryAgainLater,
};

/**
 * Gives a container its addresses and its packet path: pending on disk, then the kernel, then committed on disk, then the answer
 * (spec section 4). Isolation by policies comes before the link. Whatever fails in between is undone. Called with the container's queue held.
 */
export class AddOperation {
  constructor(private readonly deps: AddDependencies) {}

  /** @returns the allocation that the answer is made from. @throws CniError */
  async run(request: TimedAddRequest): Promise<Allocation> {
    const { ledger, lateAdds } = this.deps;
    const key = allocationKey(request);
    lateAdds.refuse(key, request.startedAt);
    const existing = ledger.get(key);
    if (existing !== undefined && (await this.#stands(existing, request))) return this.#repeat(existing, request);
    if (existing !== undefined) await this.#discard(existing);
    const { allocation, facts } = await this.#reserve(request);
    await this.#attach(allocation, { facts, refuseLate: () => lateAdds.refuse(key, request.startedAt) });
    try {
      lateAdds.refuse(key, request.startedAt);
      const committed = await ledger.commit(allocation);
      lateAdds.refuse(key, request.startedAt);
      this.#announce(committed, { request, facts });
      return committed;
    } catch (error) {
      await this.#discard(allocation);
      throw cniErrorOf(error);
    }
  }

  /**
   * A repeated ADD gets the same answer, or an error that changes nothing, as long as both ends of its link are there: a pod that
   * runs is not cut off, nor given other addresses, for what it or others did to them.
   */
  async #stands(existing: Allocation, request: AddRequest): Promise<boolean> {
    if (existing.state !== "committed" || !isSameNetns(existing.netns, request.netns)) return false;
    if (!await this.#mend(existing)) return false;
    await Promise.all([this.#grantAgain(existing), this.deps.isolation.isolate(existing)]);
    return true;
  }

  async #mend(existing: Allocation): Promise<boolean> {
    try {
      return await this.deps.driver.mend(attachmentOf(existing));
    } catch (error) {
      throw cniErrorOf(error);
    }
  }

  async #grantAgain(existing: Allocation): Promise<void> {
    try {
      await this.deps.guard.grant(grantsOf(existing));
    } catch (cause) {
      throw this.#unguarded(existing, cause);
    }
  }

  #repeat(existing: Allocation, { requestId }: TimedAddRequest): Allocation {
    const { containerId } = existing;
    this.deps.logger.info("pod is added already", {
      request: requestId,
      container: containerId,
      pod: podNameOf(existing),
    });
    return existing;
  }

  #unguarded({ hostLink }: Allocation, cause: unknown): CniError {
    this.deps.drifted();
    return new CniError(CNI_CODE.tryAgainLater, `Cannot guard ${hostLink}: ${String(cause)}`, {
      cause,
      reason: "AttachFailed",
    });
  }

  async #reserve(request: TimedAddRequest): Promise<{ allocation: Allocation; facts: PodFacts }> {
    const { network, containerId, ifname, netns, pod, startedAt } = request;
    const hostLink = hostLinkName(containerId);
    this.#refuseTaken(hostLink, request);
    const [terms, facts] = await this.deps.lateAdds.unlessDeleted(
      { key: allocationKey(request), startedAt },
      () => Promise.all([this.deps.terms(), this.#findPod(request)]),
    );
    const { podRequest } = this.deps;
    const { requests, claims: written } = podRequest.resolve(request, { facts, config: terms.config });
    const { claims, holders } = await this.deps.lateAdds.unlessDeleted(
      { key: allocationKey(request), startedAt },
      () => podRequest.inquire(request, { claims: written, terms }),
    );
    await podRequest.takeOver(request, claims);
    const netnsId = this.deps.netnsAt(netns)?.id;
    const draft = {
      ...{ network, containerId, ifname, netns, hostLink, podMac: podMacOf(containerId), mtu: terms.mtu },
      ...(netnsId === undefined ? {} : { netnsId }),
    };
    podRequest.check(request, { claims, terms, holders });
    const ready = claims.anycast.length > 0 && facts.pod !== undefined && isServing(facts.pod);
    const named = pod === undefined ? draft : { ...draft, pod };
    const asked = { requests, claims, startedAt, foreign: terms.foreign };
    const allocation = await this.#take(ready ? { ...named, ready } : named, { asked, requestId: request.requestId });
    return { allocation, facts };
  }

  async #findPod({ pod, podAnnotations }: AddRequest): Promise<PodFacts> {
    const facts = await this.deps.pods.find(pod, podAnnotations);
    await this.deps.isolation.admit(pod, facts.pod);
    return facts;
  }

  /** A second interface would need the same host link: names come from the container alone. */
  #refuseTaken(hostLink: string, { containerId, ifname }: AddRequest): void {
    const holder = this.deps.ledger.holderOf(hostLink);
    if (holder === undefined) return;
    const subject = `Cannot add container ${containerId}`;
    if (holder.containerId === containerId && holder.ifname !== ifname) {
      const state = `CNI_IFNAME "${ifname}" would be its second interface, beside "${holder.ifname}"`;
      throw new CniError(CNI_CODE.invalidEnvironment, `${subject}: ${state}`);
    }
    // Another container's, 1 in 2^32, or its own, which cannot be undone: a new sandbox gets another name.
    throw new CniError(CNI_CODE.tryAgainLater, `${subject}: link ${hostLink} is ${holder.containerId}'s`);
  }

  async #take(
    draft: AllocationDraft,
    { asked, requestId }: { asked: Reservation; requestId: string },
  ): Promise<Allocation> {
    const { ledger, events } = this.deps;
    try {
      const { allocation, warnings } = await ledger.reserve(draft, asked);
      for (const message of warnings) events.warn(draft.pod, { reason: "AnnotationIgnored", message, requestId });
      return allocation;
    } catch (error) {
      if (!(error instanceof PoolExhausted)) this.deps.drifted(); // a table that was replaced meanwhile grants what was reserved in vain
      throw cniErrorOf(error);
    }
  }

  /**
   * The kernel's part, all of it or nothing. Isolation comes before the link: what is in the namespace already may send from the link's first moment on, and what knows the pod's address
   * may send to it. The driver undoes its own failures: what is in its way may be another's.
   */
  async #attach(allocation: Allocation, { facts, refuseLate }: { facts: PodFacts; refuseLate(): void }): Promise<void> {
    const { driver, guard, isolation } = this.deps;
    let unguarded: unknown;
    try {
      refuseLate();
      await isolation.isolate(allocation, facts.pod);
      const attached = driver.attach(attachmentOf(allocation));
      const [path, sources] = await Promise.allSettled([attached, guard.grant(grantsOf(allocation))]);
      if (path.status === "rejected") throw path.reason;
      if (sources.status === "fulfilled") return;
      unguarded = sources.reason;
    } catch (error) {
      await this.#forget(allocation);
      throw cniErrorOf(error);
    }
    await this.#discard(allocation);
    throw this.#unguarded(allocation, unguarded);
  }

  /** Undoes an ADD. What the kernel keeps stays recorded, for the DEL or the collector to try again: its addresses are in use. */
  async #discard(allocation: Allocation): Promise<void> {
    const { driver, logger } = this.deps;
    try {
      await driver.detach([allocation.hostLink]);
    } catch (error) {
      return logger.error("ADD not undone", { container: allocation.containerId, error: String(error) });
    }
    await this.#forget(allocation);
  }

  /** Grants and record in the same turn: whoever replaces the guard's table from the record at that time sees both or neither. */
  async #forget(allocation: Allocation): Promise<void> {
    const { guard, isolation, ledger } = this.deps;
    const undone = [guard.revoke(grantsOf(allocation)), ledger.drop(allocation)];
    isolation.release(allocation.hostLink);
    await Promise.all(undone.map((each) => this.#attempt(allocation, each)));
  }

  /** What cannot be undone now is put right by the next write, and by a look at the guard's table. */
  async #attempt({ containerId }: Allocation, undo: Promise<void>): Promise<void> {
    try {
      await undo;
    } catch (error) {
      this.deps.drifted();
      this.deps.logger.warn("ADD not wholly undone", { container: containerId, error: String(error) });
    }
  }

  #announce(allocation: Allocation, { request, facts }: { request: TimedAddRequest; facts: PodFacts }): void {
    const { containerId, ipv6, ipv4, secondary, anycast } = allocation;
    const { clock, logger } = this.deps;
    const ms = Math.round(clock.monotonic() - request.arrivedAt);
    const source = facts.pod === undefined ? "runtime" : "api";
    const subject = { request: request.requestId, container: containerId, pod: podNameOf(allocation) };
    logger.info("pod added", { ...subject, ipv6, ipv4, secondary, anycast, source, ms });
    this.deps.addressesChanged();
  }
}

function cniErrorOf(error: unknown): unknown {
  const because = (code: number, reason: ReasonOn<"Pod">, cause: Error): CniError =>
    new CniError(code, cause.message, { cause, reason });
  if (error instanceof PoolExhausted) return because(CNI_CODE.tryAgainLater, "AddressPoolExhausted", error);
  if (error instanceof AddressTaken) return because(CNI_CODE.tryAgainLater, "AddressTaken", error);
  if (error instanceof StateWriteFailed) return because(CNI_CODE.ioFailure, "StateNotWritten", error);
  if (error instanceof AttachFailed) return because(CODE_OF_FAULT[error.fault], "AttachFailed", error);
  return error;
}
