import type { Clock } from "../clock/clock.ts";
import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import type { AttachmentName } from "../cnispec/environment.ts";
import { type Allocation, allocationKey } from "../ipam/allocation.ts";
import type { AttachmentDriver } from "../link/attachment_driver.ts";
import type { Logger } from "../log/logger.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import type { ContainerQueue } from "./container_queue.ts";
import type { DelOperation } from "./del.ts";

/** The own sweep never collects an allocation younger than this: its sandbox may still be on its way. */
export const GRACE_MS = 60_000;
/** Two sightings of the same death are at least so far apart. */
export const CONFIRM_MS = 10_000;

export interface GarbageCollectorDependencies {
  readonly ledger: AllocationLedger;
  readonly driver: AttachmentDriver;
  readonly del: DelOperation;
  readonly queue: ContainerQueue;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether there is no such network namespace; false when that cannot be told. */
  netnsGone(path: string): boolean;
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
    const { clock, logger } = this.deps;
    const dead = await this.#dead();
    const deadKeys = new Set(dead.map(allocationKey));
    for (const key of this.#firstSeenDead.keys()) if (!deadKeys.has(key)) this.#firstSeenDead.delete(key);
    for (const allocation of dead) {
      const key = allocationKey(allocation);
      const firstSeen = this.#firstSeenDead.get(key) ?? clock.monotonic();
      this.#firstSeenDead.set(key, firstSeen);
      if (clock.monotonic() - firstSeen < CONFIRM_MS) continue;
      logger.info("collecting dead allocation", {
        container: allocation.containerId,
        ipv6: allocation.ipv6,
        ipv4: allocation.ipv4,
      });
      await this.#collect(allocation);
      this.#firstSeenDead.delete(key);
    }
  }

  /**
   * The CNI GC verb. A list that names attachments is believed; an empty one frees only what has no network namespace either,
   * because freeing everything on one source's word cannot be undone.
   *
   * @throws CniError that names what could not be freed, after all has been tried
   */
  async collectAllBut(valid: readonly AttachmentName[]): Promise<void> {
    const known = new Set(valid.map(allocationKey));
    const stale = this.#collectable().filter((allocation) => !known.has(allocationKey(allocation)));
    const believed = known.size > 0 ? stale : stale.filter(({ netns }) => this.deps.netnsGone(netns));
    const failures: string[] = [];
    for (const allocation of believed) {
      await this.#collect(allocation).catch((error) => failures.push(`${allocation.containerId}: ${String(error)}`));
    }
    if (failures.length > 0) {
      throw new CniError(CNI_CODE.gcIncomplete, `Cannot free every stale attachment: ${failures.join("; ")}`);
    }
  }

  async #dead(): Promise<Allocation[]> {
    // A clock that went back makes an allocation young, never old.
    const old = ({ createdAt }: Allocation): boolean => this.deps.clock.wall() - createdAt >= GRACE_MS;
    const suspects = this.#collectable().filter((allocation) =>
      old(allocation) && (allocation.netns === "" || this.deps.netnsGone(allocation.netns))
    );
    if (suspects.length === 0) return [];
    const links = new Set((await this.deps.driver.list()).map(({ hostLink }) => hostLink));
    return suspects.filter(({ hostLink }) => !links.has(hostLink));
  }

  /** What is not being worked on: a pending one among these was left by an ADD that could not be undone. */
  #collectable(): Allocation[] {
    const { ledger, queue } = this.deps;
    return ledger.all().filter(({ containerId }) => !queue.busy(containerId));
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
