import { type Allocation, allocationKey } from "../ipam/allocation.ts";
import type { AttachmentDriver } from "../link/attachment_driver.ts";
import type { Logger } from "../log/logger.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { attachmentOf } from "./attachment_state.ts";
import type { ContainerQueue } from "./container_queue.ts";
import { REPAIRED } from "./journal.ts";

export interface LinkRestorerDependencies {
  readonly ledger: AllocationLedger;
  readonly driver: AttachmentDriver;
  readonly queue: ContainerQueue;
  readonly logger: Logger;
  /** Whether the namespace of a record has ended, or cannot be told from another one. @throws when it may not be looked at */
  netnsGone(of: Pick<Allocation, "netns" | "netnsId">): boolean;
}

/** Makes a pod's link anew, with its old addresses, where somebody removed it (and with it the pod's end) and the pod lives on. */
export class LinkRestorer {
  // key -> why it could not be made, so that it is said once
  readonly #failures = new Map<string, string>();

  constructor(private readonly deps: LinkRestorerDependencies) {}

  /** One look. A sandbox whose namespace is gone has ended, and one whose ADD or DEL runs is being looked after. Never throws for one pod. */
  async restore(): Promise<void> {
    const { ledger, driver, queue } = this.deps;
    for (const key of this.#failures.keys()) if (ledger.get(key) === undefined) this.#failures.delete(key);
    const candidates = ledger.all().filter(({ state }) => state === "committed");
    if (candidates.length === 0) return;
    const links = new Set((await driver.list()).map(({ hostLink }) => hostLink));
    const lost = candidates.filter((each) => !links.has(each.hostLink) && !queue.busy(each.containerId));
    await Promise.all(lost.map((each) => queue.run(each.containerId, () => this.#attach(each))));
  }

  /**
   * The look is old by the time the queue is ours: what was deleted or added anew meanwhile is another allocation. A runtime may have
   * made another namespace at the path of one that ended without a DEL: it is the next container's, and stays as it is.
   */
  async #attach(allocation: Allocation): Promise<void> {
    const { ledger, driver, logger, netnsGone } = this.deps;
    const key = allocationKey(allocation);
    const { hostLink } = allocation;
    try {
      if (ledger.get(key) !== allocation || netnsGone(allocation)) return;
      await driver.attach(attachmentOf(allocation));
      this.#failures.delete(key);
      logger.warn(REPAIRED, { what: `host link ${hostLink} was missing`, part: "links" });
    } catch (error) {
      if (this.#failures.get(key) === String(error)) return;
      this.#failures.set(key, String(error));
      logger.warn("link not made anew", { link: hostLink, error: String(error) });
    }
  }
}
