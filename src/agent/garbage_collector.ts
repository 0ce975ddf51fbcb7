import type { Clock } from "../clock/clock.ts";
import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import type { GcRequest } from "../cnispec/cni_request.ts";
import { type Allocation, allocationKey } from "../ipam/allocation.ts";
import type { AttachmentDriver } from "../link/attachment_driver.ts";
import type { Logger } from "../log/logger.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import type { ContainerQueue } from "./container_queue.ts";
import type { DelOperation } from "./del.ts";
import { podNameOf } from "./pod_of.ts";

/** How long the collector waits before it believes in a death, in milliseconds. */
export interface Patience {
  /** No allocation younger than this is ever collected: its sandbox may still be on its way. */
  readonly graceMs: number;
  /** Two sightings of the same death are at least so far apart. */
  readonly confirmMs: number;
}

export const PATIENCE: Patience = { graceMs: 60_000, confirmMs: 10_000 };

export interface GarbageCollectorDependencies {
  readonly ledger: AllocationLedger;
  readonly driver: AttachmentDriver;
  readonly del: DelOperation;
  readonly queue: ContainerQueue;
  readonly patience: Patience;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether the namespace of a record has ended, or cannot be told from another one. @throws when it may not be looked at */
  netnsGone(of: Pick<Allocation, "netns" | "netnsId">): boolean;
}

/**
 * Frees what no DEL ever freed (spec section 5). On its own it believes only in deaths seen twice: network namespace and veth both
 * gone. The pod's existence decides nothing, for a pod outlives its sandboxes.
 */
export class GarbageCollector {
  /** key -> monotonic time at which netns and veth were first both seen gone */
  readonly #firstSeenDead = new Map<string, number>();

  constructor(private readonly deps: GarbageCollectorDependencies) {}

  /** One sweep of our own; called every few seconds. Frees what this sweep confirms. */
  async sweep(): Promise<void> {
    const { clock, patience } = this.deps;
    const dead = await this.#dead();
    const deadKeys = new Set(dead.map(allocationKey));
    for (const key of this.#firstSeenDead.keys()) if (!deadKeys.has(key)) this.#firstSeenDead.delete(key);
    for (const allocation of dead) {
      const key = allocationKey(allocation);
      const firstSeen = this.#firstSeenDead.get(key) ?? clock.monotonic();
      this.#firstSeenDead.set(key, firstSeen);
      if (clock.monotonic() - firstSeen < patience.confirmMs) continue;
      await this.#bury(allocation);
    }
  }

  /** One that cannot be freed keeps no other waiting; the next sweep tries again. */
  async #bury(allocation: Allocation): Promise<void> {
    const { containerId, ipv6, ipv4 } = allocation;
    const { logger } = this.deps;
    const reason = "its network namespace and its link are gone";
    logger.info("collecting dead allocation", {
      container: containerId,
      pod: podNameOf(allocation),
      ...{ ipv6, ipv4, reason },
    });
    try {
      await this.#collect(allocation);
      this.#firstSeenDead.delete(allocationKey(allocation));
    } catch (error) {
      logger.error("dead allocation not collected", { container: containerId, error: String(error) });
    }
  }

  /**
   * The CNI GC verb. A list that names attachments is believed, for allocations of its own network that are past the grace period:
   * a younger one may have come after the list was made. An empty list, or none, frees only what is dead by our own eyes too,
   * because freeing everything on one source's word cannot be undone (projectcalico/calico#5044). What was rebuilt from the kernel and
   * whose network nobody remembers is left to the sweeps.
   *
   * @throws CniError that names what could not be freed, after all has been tried
   */
  async collectAllBut({ network, validAttachments }: GcRequest): Promise<void> {
    const valid = new Set(validAttachments?.map(allocationKey));
    const suspects = valid.size > 0 ? this.#collectable() : await this.#dead();
    const stale = suspects.filter((allocation) =>
      allocation.network === network && !valid.has(allocationKey(allocation))
    );
    const outcomes = await Promise.allSettled(stale.map((allocation) => this.#collect(allocation)));
    const failures = outcomes.flatMap((outcome, index) =>
      outcome.status === "rejected" ? [`${stale[index]?.containerId}: ${String(outcome.reason)}`] : []
    );
    if (failures.length > 0) {
      throw new CniError(CNI_CODE.gcIncomplete, `Cannot free every stale attachment: ${failures.join("; ")}`);
    }
  }

  async #dead(): Promise<Allocation[]> {
    const suspects = this.#collectable().filter((allocation) => this.#netnsGone(allocation));
    if (suspects.length === 0) return [];
    const links = new Set((await this.deps.driver.list()).map(({ hostLink }) => hostLink));
    return suspects.filter(({ hostLink }) => !links.has(hostLink));
  }

  #netnsGone(allocation: Allocation): boolean {
    const { netnsGone, logger } = this.deps;
    try {
      return netnsGone(allocation);
    } catch (error) {
      logger.error("namespace not judged", { container: allocation.containerId, error: String(error) });
      return false;
    }
  }

  /** What is past the grace period and not being worked on: a pending one among these was left by an ADD that could not be undone. */
  #collectable(): Allocation[] {
    const { ledger, queue, patience } = this.deps;
    const old = (allocation: Allocation): boolean => ledger.ageOf(allocation) >= patience.graceMs;
    return ledger.all().filter((allocation) => old(allocation) && !queue.busy(allocation.containerId));
  }

  /** The decision may be old by the time the queue is ours: what was added anew meanwhile stays (projectcalico/calico#3589). */
  #collect(decided: Allocation): Promise<void> {
    const { queue, ledger, del, clock } = this.deps;
    return queue.run(decided.containerId, async () => {
      if (ledger.get(allocationKey(decided)) !== decided) return;
      await del.run({ containerId: decided.containerId, ifname: decided.ifname, at: clock.wall() });
    });
  }
}
