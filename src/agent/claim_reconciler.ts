import type { Clock } from "../clock/clock.ts";
import { InvalidInput, type Problem } from "../fault/invalid_input.ts";
import { runEach } from "../fault/run_each.ts";
import { FAMILIES } from "../ip/address.ts";
import { type Allocation, allocationKey } from "../ipam/allocation.ts";
import type { Watched } from "../kube/kube_client.ts";
import { AttachFailed, type AttachmentDriver } from "../link/attachment_driver.ts";
import type { Logger } from "../log/logger.ts";
import type { PacketGuard } from "../nft/packet_guard.ts";
import { checkClaims } from "../pod/check_claims.ts";
import { claimProblem, type Claims, parseClaims, primaryClaim } from "../pod/claims.ts";
import type { Pod } from "../pod/pod.ts";
import type { NodeTerms } from "./add.ts";
import { primaryOf, withLoose } from "./allocation_addresses.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { attachmentOf, grantsOf } from "./attachment_state.ts";
import { ClaimAnswers } from "./claim_answers.ts";
import { type ClaimInquiry, untoldClaims } from "./claim_inquiry.ts";
import { surroundingsOf } from "./claim_surroundings.ts";
import type { ContainerQueue } from "./container_queue.ts";
import { podOf } from "./pod_of.ts";
import type { PodEventReason, PodEvents } from "./pod_events.ts";
import { claimsOf, isEmpty, isSame, lacking, refuseMissingFamilies, type Wanted, wantedOf } from "./wanted_claims.ts";

export interface ClaimReconcilerDependencies {
  readonly ledger: AllocationLedger;
  /** The pods of this node. */
  readonly pods: Pick<Watched<Pod>, "items">;
  readonly driver: Pick<AttachmentDriver, "rebind">;
  readonly guard: Pick<PacketGuard, "grant" | "revoke">;
  readonly queue: ContainerQueue;
  readonly events: PodEvents;
  readonly inquiry: Pick<ClaimInquiry, "ask">;
  readonly clock: Pick<Clock, "sleep">;
  readonly logger: Logger;
  /** What the node offers to pods; undefined while no NodeConfig is in force. */
  terms(): NodeTerms | undefined;
  /** Makes kernel and routers heed the ledger; resolves when they do. */
  announce(): Promise<void>;
  /** Asks for another pass. */
  addressesChanged(): void;
  /** Somebody else changed the packet guard's table: it has to be looked at. */
  drifted(): void;
  /** Whether the namespace of a record has ended, or cannot be told from another one. @throws when it may not be looked at */
  netnsGone(of: Pick<Allocation, "netns" | "netnsId">): boolean;
}

/**
 * Gives running pods what their annotations `anycast` and `addresses` say now, and takes what they say no more (issue: live changes).
 * The address of each family that a pod is known by stays: `status.podIPs` has it from the CNI result.
 */
export class ClaimReconciler {
  // allocation's key -> reason -> what was last said of its annotations and still holds, so that it is said once
  readonly #said = new Map<string, Map<PodEventReason, string>>();
  /** allocation -> its pod, where nothing was to be done; neither ever changes, there are only new ones */
  readonly #settled = new WeakMap<Allocation, Pod>();
  /** Containers that were busy when something was to be done. */
  readonly #awaited = new Set<string>();
  /** Keys of those whose sandbox has ended, which was said. */
  readonly #ended = new Set<string>();

  readonly #answers: ClaimAnswers;

  constructor(private readonly deps: ClaimReconcilerDependencies) {
    this.#answers = new ClaimAnswers({ ...deps, changed: () => deps.addressesChanged() });
  }

  /** One level-triggered pass. @throws what failed, when all is done */
  async pass(): Promise<void> {
    const { ledger, queue } = this.deps;
    const terms = this.deps.terms();
    if (terms === undefined) return;
    const all = ledger.all();
    const keys = new Set(all.map(allocationKey));
    for (const key of this.#said.keys()) if (!keys.has(key)) this.#said.delete(key);
    for (const key of this.#ended) if (!keys.has(key)) this.#ended.delete(key);
    const behind = all.filter((each) => this.#differs(each));
    const [busy = [], idle = []] = [true, false].map((is) =>
      behind.filter((each) => queue.busy(each.containerId) === is)
    );
    for (const { containerId } of busy) this.#comeBack(containerId);
    await runEach(idle.map((each) => () => queue.run(each.containerId, () => this.#tryRebind(each, terms))));
  }

  /** Nobody else tells when an operation ends that changes nothing: a CHECK, or an ADD whose pod was edited meanwhile. */
  #comeBack(containerId: string): void {
    if (this.#awaited.has(containerId)) return;
    this.#awaited.add(containerId);
    void this.deps.queue.run(containerId, () => Promise.resolve()).then(() => {
      this.#awaited.delete(containerId);
      this.deps.addressesChanged();
    });
  }

  #differs(allocation: Allocation): boolean {
    if (allocation.state === "committed" && allocation.loose !== undefined) return true;
    const pod = podOf(allocation, this.deps.pods.items);
    if (pod === undefined || this.#settled.get(allocation) === pod) return false;
    const wanted = this.#wanted(allocation);
    if (wanted !== undefined && !isSame(allocation, wanted)) return true;
    if (wanted !== undefined) this.#unsay(allocation, "InvalidAnnotation");
    this.#unsay(allocation, "ClaimUnchecked");
    this.#settled.set(allocation, pod);
    return false;
  }

  /** A sandbox that has ended is its DEL's, or the collector's. */
  async #tryRebind(seen: Allocation, terms: NodeTerms): Promise<void> {
    try {
      await this.#rebind(seen, terms);
    } catch (error) {
      if (!(error instanceof AttachFailed) || error.fault !== "netnsMissing" || !this.deps.netnsGone(seen)) throw error;
      const key = allocationKey(seen);
      if (!this.#ended.has(key)) this.deps.logger.info("sandbox has ended", { container: seen.containerId });
      this.#ended.add(key);
    }
  }

  /** The look is old by the time the queue is ours. Once more in the end: what changes its place goes before it comes. */
  async #rebind(seen: Allocation, terms: NodeTerms): Promise<void> {
    const recorded = this.deps.ledger.get(allocationKey(seen));
    if (recorded?.state !== "committed") return;
    const allocation = await this.#unbind(recorded);
    const wanted = this.#wanted(allocation);
    if (wanted === undefined || isSame(allocation, wanted) || !this.#isFree(allocation, { wanted, terms })) return;
    const bound = await this.#bind(allocation, wanted);
    await this.deps.announce();
    await this.#rebind(await this.#unbind(bound), terms);
  }

  /** The pod has an address, and may send from it, before the record leads others there. */
  async #bind(allocation: Allocation, wanted: Wanted): Promise<Allocation> {
    const { ledger, logger } = this.deps;
    const fresh = lacking(wanted, allocation);
    if (!isEmpty(fresh)) await this.#bindLoose(await ledger.reclaim(allocation, { ...allocation, loose: fresh }));
    const { containerId, pod } = allocation;
    logger.info("addresses changed", { container: containerId, pod: pod && `${pod.namespace}/${pod.name}`, ...wanted });
    return await ledger.reclaim(allocation, { ...wanted, loose: lacking(allocation, wanted) });
  }

  async #bindLoose(allocation: Allocation): Promise<void> {
    const { guard, driver } = this.deps;
    try {
      await guard.grant(grantsOf(allocation));
      await driver.rebind(attachmentOf(allocation), attachmentOf(withLoose(allocation)));
    } catch (error) {
      await this.#unbind(allocation).catch(() => {}); // the next pass begins with that
      throw error;
    }
  }

  /** Takes away what is loose, once nobody is led there. Grants and record in the same turn, as `AddOperation` does. @returns the record */
  async #unbind(allocation: Allocation): Promise<Allocation> {
    const { guard, driver, ledger, drifted } = this.deps;
    if (allocation.loose === undefined) return allocation;
    await driver.rebind(attachmentOf(withLoose(allocation)), attachmentOf(allocation));
    const { loose: _, ...left } = allocation;
    const kept = new Set(grantsOf(left).map(({ address }) => address.text));
    const revoked = guard.revoke(grantsOf(allocation).filter(({ address }) => !kept.has(address.text)));
    const written = ledger.reclaim(allocation, left);
    await revoked.catch(drifted);
    return await written;
  }

  /** What it has already was judged when it got it. */
  #isFree(allocation: Allocation, { wanted, terms }: { wanted: Wanted; terms: NodeTerms }): boolean {
    const fresh = claimsOf(lacking(wanted, allocation));
    const found = this.#answers.of([...fresh.addresses, ...fresh.anycast], terms.otherNodes);
    if (found === undefined) return false;
    const { holders, untold } = found;
    const surroundings = surroundingsOf(terms, { all: this.deps.ledger.all(), claimant: allocation, holders });
    const isGood = this.#sayIfAny(allocation, {
      reason: "InvalidAnnotation",
      problems: checkClaims(claimsOf(wanted), surroundings),
    });
    return isGood &&
      this.#sayIfAny(allocation, { reason: "ClaimUnchecked", problems: untoldClaims(fresh, { untold }) });
  }

  /** @returns whether there was nothing to say */
  #sayIfAny(
    allocation: Allocation,
    { reason, problems }: { reason: PodEventReason; problems: readonly Problem[] },
  ): boolean {
    if (problems.length > 0) this.#say(allocation, { reason, message: new InvalidInput(problems).message });
    return problems.length === 0;
  }

  /** @returns undefined when the pod is not known, or its annotations are no good: it keeps what it has then */
  #wanted(allocation: Allocation): Wanted | undefined {
    const pod = podOf(allocation, this.deps.pods.items);
    if (allocation.state !== "committed" || pod === undefined) return undefined;
    try {
      const claims = parseClaims(pod.annotations);
      refuseMissingFamilies(allocation, claims);
      this.#tellOfPrimary(allocation, claims);
      return wantedOf(allocation, { claims, ips: pod.ips });
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      this.#say(allocation, { reason: "InvalidAnnotation", message: error.message });
      return undefined;
    }
  }

  #tellOfPrimary(allocation: Allocation, claims: Claims): void {
    const problems = FAMILIES.flatMap((family) => {
      const [own, claimed] = [primaryOf(allocation, family), primaryClaim(claims, family)?.text ?? ""];
      const isKept = claimed === "" ? allocation.claimed?.includes(family) === true : claimed !== own;
      if (own === undefined || !isKept) return [];
      return [
        claimProblem("addresses", { text: claimed }, `takes effect with the next sandbox: this one keeps ${own}`),
      ];
    });
    if (problems.length === 0) return this.#unsay(allocation, "PrimaryAddressKept");
    this.#say(allocation, { reason: "PrimaryAddressKept", message: new InvalidInput(problems).message });
  }

  #say(allocation: Allocation, { reason, message }: { reason: PodEventReason; message: string }): void {
    const key = allocationKey(allocation);
    const said = this.#said.get(key) ?? new Map<PodEventReason, string>();
    if (said.get(reason) === message) return;
    this.#said.set(key, said.set(reason, message));
    this.deps.events.warn(allocation.pod, { reason, message });
  }

  /** It holds no more: if it comes again, it is news. */
  #unsay(allocation: Allocation, reason: PodEventReason): void {
    this.#said.get(allocationKey(allocation))?.delete(reason);
  }
}
