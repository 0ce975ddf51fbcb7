import { credibleAge } from "../clock/credible_age.ts";
import type { Clock } from "../clock/clock.ts";
import { allocationKey } from "../ipam/allocation.ts";
import type { Logger } from "../log/logger.ts";
import type { LeftTombstone } from "../rpc/tombstone.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import type { ContainerQueue } from "./container_queue.ts";
import type { DelOperation } from "./del.ts";

export interface TombstoneReplayDependencies {
  readonly tombstones: { list(): LeftTombstone[]; remove(tombstone: LeftTombstone): void };
  readonly ledger: Pick<AllocationLedger, "get" | "isAddedAfter" | "sinceStart" | "flush">;
  readonly del: Pick<DelOperation, "run">;
  readonly queue: ContainerQueue;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Does the DELs that came while no agent listened. One that fails stays and is tried again. */
export class TombstoneReplay {
  /** Notes that only wait for the disk. */
  readonly #done = new Set<string>();

  constructor(private readonly deps: TombstoneReplayDependencies) {}

  /** All of them, before anything is served. The tombstone's own time counts: an ADD that starts after that DEL is a new attachment. */
  async replay(): Promise<void> {
    for (const tombstone of this.deps.tombstones.list()) await this.#try(tombstone);
  }

  /**
   * While the agent serves: a plugin that was refused just before the socket opened leaves its note when recovery has already read
   * them. What was added after that DEL stays.
   */
  async catchUp(): Promise<void> {
    const { tombstones, queue } = this.deps;
    for (const tombstone of tombstones.list()) {
      await queue.run(tombstone.containerId, async () => {
        if (this.#outlived(tombstone)) tombstones.remove(tombstone);
        else await this.#try(tombstone);
      });
    }
  }

  /**
   * A DEL forgives a disk that refuses, so its note has to outlive a crash until the deletion is written. But it is done once: what comes
   * after it is another attachment, for the next agent too, if this one is killed before it has removed the note.
   */
  async #try(tombstone: LeftTombstone): Promise<void> {
    const { tombstones, ledger, del, logger } = this.deps;
    const container = tombstone.containerId;
    const note = `${allocationKey(tombstone)} ${tombstone.at}`;
    const subject = { request: tombstone.requestId, container };
    logger.info("replaying a DEL", { ...subject, known: ledger.get(allocationKey(tombstone)) !== undefined });
    try {
      if (!this.#done.has(note) && !ledger.isAddedAfter(tombstone)) await del.run(tombstone);
      this.#done.add(note);
      await ledger.flush();
      tombstones.remove(tombstone);
      this.#done.delete(note);
    } catch (error) {
      logger.error("DEL not replayed", { ...subject, error: String(error) });
    }
  }

  /** Whether the plugin of the ADD that is recorded started after the DEL, of which a late ADD knew nothing. */
  #outlived(tombstone: LeftTombstone): boolean {
    const { ledger, clock } = this.deps;
    const allocation = ledger.get(allocationKey(tombstone));
    return allocation !== undefined && ledger.sinceStart(allocation) < credibleAge(tombstone.at, clock.wall());
  }
}
