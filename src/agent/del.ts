import type { Clock } from "../clock/clock.ts";
import { hostLinkName } from "../hash/container_hash.ts";
import { type Allocation, allocationKey } from "../ipam/allocation.ts";
import type { AttachmentDriver } from "../link/attachment_driver.ts";
import type { Logger } from "../log/logger.ts";
import type { PacketGuard } from "../nft/packet_guard.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { grantsOf } from "./attachment_state.ts";
import type { PodIsolation } from "./pod_isolation.ts";
import { podNameOf } from "./pod_of.ts";

export interface DelDependencies {
  readonly ledger: AllocationLedger;
  readonly driver: AttachmentDriver;
  readonly guard: PacketGuard;
  readonly isolation: Pick<PodIsolation, "release">;
  readonly clock: Pick<Clock, "monotonic">;
  readonly logger: Logger;
  /** The set of live addresses changed. */
  addressesChanged(): void;
  /** Somebody else changed the packet guard's table: it has to be looked at. */
  drifted(): void;
}

/** A DEL: the container, and when its deletion arrived (wall clock, milliseconds since the epoch). */
export interface DelRequest {
  readonly containerId: string;
  readonly ifname: string;
  readonly at: number;
  /** Of the call that asked for it; absent: nobody did, or by a note that had none. */
  readonly requestId?: string;
  /** When that call arrived, monotonic milliseconds. */
  readonly arrivedAt?: number;
}

/** Takes a container's packet path and addresses away. Succeeds when there is nothing to take. Called with the container's queue held. */
export class DelOperation {
  constructor(private readonly deps: DelDependencies) {}

  /**
   * Kernel and record at the same time. A crash in between leaves a record without a link, which the repeated DEL or garbage
   * collection finishes, or a link without a record, which recovery adopts by its alias, so that they can finish it as well.
   *
   * @param request the container; `at` is when its deletion arrived, wall clock
   * @throws when the kernel keeps the link
   */
  async run(request: DelRequest): Promise<void> {
    const { ledger, driver } = this.deps;
    const allocation = ledger.get(allocationKey(request));
    if (allocation === undefined) return await this.#sweep(request);
    const gone = Promise.all([driver.detach([allocation.hostLink]), this.#revoke(allocation)]);
    await this.#bury({ ...request, gone });
    await gone;
    this.deps.isolation.release(allocation.hostLink);
    this.#tell(allocation, request);
    this.deps.addressesChanged();
  }

  #tell(allocation: Allocation, { requestId, arrivedAt }: DelRequest): void {
    const { containerId, ipv6, ipv4, secondary, anycast } = allocation;
    const { clock, logger } = this.deps;
    const ms = arrivedAt === undefined ? undefined : Math.round(clock.monotonic() - arrivedAt);
    const subject = { request: requestId, container: containerId, pod: podNameOf(allocation) };
    logger.info("pod deleted", { ...subject, ipv6, ipv4, secondary, anycast, ms });
  }

  /**
   * A container without a record may still have a link, and an ADD of it may still be on its way; and after a write that failed, the
   * disk may know what the memory has dropped. So this one is written, too.
   */
  async #sweep(request: DelRequest): Promise<void> {
    const { ledger, driver } = this.deps;
    const hostLink = hostLinkName(request.containerId);
    const gone = ledger.holderOf(hostLink) === undefined ? driver.detach([hostLink]) : Promise.resolve();
    await this.#bury({ ...request, gone });
    await gone;
    if (ledger.holderOf(hostLink) === undefined) this.deps.isolation.release(hostLink);
    const { requestId, containerId } = request;
    this.deps.logger.info("no pod to delete", { request: requestId, container: containerId });
  }

  /**
   * Twice, since an nft that died is started anew: the pair of link and address goes before the address can be anybody else's. After
   * that it is no reason to fail: a grant without its link lets nobody send, and the next full replace drops it.
   */
  async #revoke(allocation: Allocation): Promise<void> {
    const grants = grantsOf(allocation);
    try {
      await this.deps.guard.revoke(grants).catch(() => this.deps.guard.revoke(grants));
    } catch (error) {
      this.deps.drifted();
      this.deps.logger.warn("grants not revoked", { link: allocation.hostLink, error: String(error) });
    }
  }

  /** A full disk keeps no pod from going: the memory knows, and the next write says it (spec section 4). */
  async #bury(request: Parameters<AllocationLedger["bury"]>[0]): Promise<void> {
    try {
      await this.deps.ledger.bury(request);
    } catch (error) {
      this.deps.logger.error("deletion not on disk yet", { container: request.containerId, error: String(error) });
    }
  }
}
