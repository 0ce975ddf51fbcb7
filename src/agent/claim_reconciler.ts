import { InvalidInput } from "../fault/invalid_input.ts";
import { runEach } from "../fault/run_each.ts";
import { FAMILIES } from "../ip/address.ts";
import { type Allocation, allocationKey } from "../ipam/allocation.ts";
import type { Watched } from "../kube/kube_client.ts";
import type { AttachmentDriver } from "../link/attachment_driver.ts";
import type { Logger } from "../log/logger.ts";
import type { PacketGuard } from "../nft/packet_guard.ts";
import { checkClaims } from "../pod/check_claims.ts";
import { claimProblem, type Claims, parseClaims, primaryClaim } from "../pod/claims.ts";
import type { Pod } from "../pod/pod.ts";
import type { NodeTerms } from "./add.ts";
import { type AllocationLedger, withClaims } from "./allocation_ledger.ts";
import { attachmentOf, grantsOf } from "./attachment_state.ts";
import { surroundingsOf } from "./claim_surroundings.ts";
import type { ContainerQueue } from "./container_queue.ts";
import { podOf } from "./pod_of.ts";
import type { PodEventReason, PodEvents } from "./pod_events.ts";
import { claimsOf, isSame, primaryOf, refuseMissingFamilies, type Wanted, wantedOf } from "./wanted_claims.ts";

export interface ClaimReconcilerDependencies {
  readonly ledger: AllocationLedger;
  /** The pods of this node. */
  readonly pods: Pick<Watched<Pod>, "items">;
  readonly driver: Pick<AttachmentDriver, "rebind">;
  readonly guard: Pick<PacketGuard, "grant" | "revoke">;
  readonly queue: ContainerQueue;
  readonly events: PodEvents;
  readonly logger: Logger;
  /** What the node offers to pods; undefined while no NodeConfig is in force. */
  terms(): NodeTerms | undefined;
  /** Makes kernel and routers heed the ledger; resolves when they do. */
  announce(): Promise<void>;
}

/**
 * Gives running pods what their annotations `anycast` and `addresses` say now, and takes what they say no more (issue: live changes).
 * The address of each family that a pod is known by stays: `status.podIPs` has it from the CNI result.
 */
export class ClaimReconciler {
  /** allocation's key -> what was last said of its annotations, so that it is said once */
  readonly #said = new Map<string, string>();
  /** allocation -> its pod, where nothing was to be done; neither ever changes, there are only new ones */
  readonly #settled = new WeakMap<Allocation, Pod>();
  /** allocation's key -> what was recorded before an unbinding that failed */
  readonly #unbound = new Map<string, Allocation>();

  constructor(private readonly deps: ClaimReconcilerDependencies) {}

  /** One level-triggered pass. @throws what failed, when all is done */
  async pass(): Promise<void> {
    const { ledger, queue } = this.deps;
    const terms = this.deps.terms();
    if (terms === undefined) return;
    const all = ledger.all();
    const keys = new Set(all.map(allocationKey));
    for (const map of [this.#said, this.#unbound]) for (const key of map.keys()) if (!keys.has(key)) map.delete(key);
    const behind = all.filter((each) => !queue.busy(each.containerId) && this.#differs(each));
    await runEach(behind.map((each) => () => queue.run(each.containerId, () => this.#rebind(each, terms))));
  }

  #differs(allocation: Allocation): boolean {
    if (this.#unbound.has(allocationKey(allocation))) return true;
    const pod = podOf(allocation, this.deps.pods.items);
    if (pod === undefined || this.#settled.get(allocation) === pod) return false;
    const wanted = this.#wanted(allocation);
    if (wanted !== undefined && !isSame(allocation, wanted)) return true;
    this.#settled.set(allocation, pod);
    return false;
  }

  /** The look is old by the time the queue is ours. */
  async #rebind(seen: Allocation, terms: NodeTerms): Promise<void> {
    const { ledger } = this.deps;
    const key = allocationKey(seen);
    const allocation = ledger.get(key);
    const wanted = allocation === undefined ? undefined : this.#wanted(allocation);
    if (allocation === undefined || wanted === undefined) return;
    if (isSame(allocation, wanted)) return await this.#unbind(allocation);
    if (!this.#isFree(allocation, { wanted, terms })) return;
    const bound = await this.#bind(allocation, wanted);
    if (lacks(bound, allocation)) this.#unbound.set(key, this.#unbound.get(key) ?? allocation);
    await this.deps.announce();
    await this.#unbind(bound);
  }

  /** The pod has an address, and may send from it, before it is recorded: the record is what leads others there. */
  async #bind(allocation: Allocation, wanted: Wanted): Promise<Allocation> {
    const { ledger, guard, driver, logger } = this.deps;
    const union = withClaims(allocation, {
      secondary: [...new Set([...allocation.secondary ?? [], ...wanted.secondary])],
      anycast: [...new Set([...allocation.anycast ?? [], ...wanted.anycast])],
    });
    const release = ledger.hold(allocation, wanted);
    try {
      if (lacks(allocation, union)) {
        await guard.grant(grantsOf(union));
        await driver.rebind(attachmentOf(allocation), attachmentOf(union));
      }
    } catch (error) {
      release();
      throw error;
    }
    const { containerId, pod } = allocation;
    logger.info("addresses changed", { container: containerId, pod: pod && `${pod.namespace}/${pod.name}`, ...wanted });
    return await ledger.reclaim(allocation, wanted);
  }

  /** Once nobody is led there any more. */
  async #unbind(allocation: Allocation): Promise<void> {
    const { guard, driver } = this.deps;
    const key = allocationKey(allocation);
    const before = this.#unbound.get(key);
    if (before === undefined) return;
    const kept = new Set(grantsOf(allocation).map(({ address }) => address.text));
    await guard.revoke(grantsOf(before).filter(({ address }) => !kept.has(address.text)));
    await driver.rebind(attachmentOf(before), attachmentOf(allocation));
    this.#unbound.delete(key);
  }

  #isFree(allocation: Allocation, { wanted, terms }: { wanted: Wanted; terms: NodeTerms }): boolean {
    const { containerId, pod } = allocation;
    const claimant = pod === undefined ? { containerId } : { containerId, uid: pod.uid };
    const surroundings = surroundingsOf(terms, { all: this.deps.ledger.all(), claimant });
    const problems = checkClaims(claimsOf(wanted), surroundings);
    if (problems.length > 0) {
      this.#say(allocation, { reason: "InvalidAnnotation", message: new InvalidInput(problems).message });
    }
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
      return wantedOf(allocation, claims);
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
    if (problems.length === 0) return;
    this.#say(allocation, { reason: "PrimaryAddressKept", message: new InvalidInput(problems).message });
  }

  #say(allocation: Allocation, { reason, message }: { reason: PodEventReason; message: string }): void {
    const key = allocationKey(allocation);
    if (this.#said.get(key) === message) return;
    this.#said.set(key, message);
    this.deps.events.warn(allocation.pod, reason, message);
  }
}

/** Says whether the first lacks an address that the second has. */
function lacks(allocation: Allocation, other: Allocation): boolean {
  const own = new Set(grantsOf(allocation).map(({ address }) => address.text));
  return grantsOf(other).some(({ address }) => !own.has(address.text));
}
