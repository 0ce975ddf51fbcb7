import type { Clock } from "../clock/clock.ts";
import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { TOMBSTONE_MS } from "./deletion_memory.ts";

/** The reason of an ADD that is late. No Event has it: whoever deleted the container does not wait for the ADD. */
export const DELETED_MEANWHILE = "DeletedMeanwhile";

/**
 * Tells an ADD that its container was deleted meanwhile. ADD A starts and hangs, the runtime kills its plugin and sends DEL A: the
 * DEL is noted here at once, before it waits for its turn; ADD A looks here between its steps and undoes itself, so that the DEL,
 * when its turn comes, finds nothing that could leak (Azure/azure-container-networking#4829).
 */
export class LateAdds {
  /** container id/ifname -> the newest DEL that still waits for its turn */
  readonly #deleting = new Map<string, { readonly at: number; readonly monotonic: number }>();

  /** container id/ifname -> ends what its ADD waits for */
  readonly #waiting = new Map<string, (error: CniError) => void>();

  constructor(private readonly ledger: AllocationLedger, private readonly clock: Clock) {}

  /** Notes a DEL as it arrives. @returns when it arrived, wall clock; give it back to `done` */
  deleting(key: string): number {
    const at = this.clock.wall();
    this.#deleting.set(key, { at, monotonic: this.clock.monotonic() });
    this.#waiting.get(key)?.(lateError(key));
    return at;
  }

  /** The DEL is answered; from here on the ledger's tombstone speaks. */
  done(key: string, at: number): void {
    if (this.#deleting.get(key)?.at === at) this.#deleting.delete(key);
  }

  /**
   * To be asked when an ADD arrives: later the wall clock may have been set.
   *
   * @param wall when its plugin started, wall clock
   * @returns the same by the monotonic clock; as early as it can have been, when what the plugin says cannot be
   */
  startOf(wall: number): number {
    const age = this.clock.wall() - wall;
    return this.clock.monotonic() - (age >= 0 && age <= TOMBSTONE_MS ? age : TOMBSTONE_MS);
  }

  /**
   * Waits on behalf of an ADD, at most until its container is deleted: an ADD may wait a minute for a NodeConfig, and its DEL is not to
   * wait with it. One at a time per container; the work has no effects.
   *
   * @returns what the work returns. @throws CniError 11, or what the work throws
   */
  async unlessDeleted<T>(
    { key, startedAt }: { readonly key: string; readonly startedAt: number },
    work: () => Promise<T>,
  ): Promise<T> {
    this.refuse(key, startedAt);
    const { promise, reject } = Promise.withResolvers<never>();
    this.#waiting.set(key, reject);
    try {
      return await Promise.race([work(), promise]);
    } finally {
      this.#waiting.delete(key);
    }
  }

  /** @param startedAt of `startOf`. @throws CniError 11 when the container was deleted after this ADD's plugin had started */
  refuse(key: string, startedAt: number): void {
    const deletedAt = this.#deleting.get(key)?.monotonic ?? this.ledger.deletedAt(key);
    if (deletedAt !== undefined && startedAt <= deletedAt) throw lateError(key);
  }
}

function lateError(key: string): CniError {
  return new CniError(
    CNI_CODE.tryAgainLater,
    `Cannot add container ${key}: it was deleted while its ADD was under way`,
    { reason: DELETED_MEANWHILE },
  );
}
