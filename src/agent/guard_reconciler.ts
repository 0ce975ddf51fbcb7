import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { GuardState, PacketGuard, SourceGrant } from "../nft/packet_guard.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { grantsOf } from "./attachment_state.ts";
import { type ClusterPrefixes, textOf } from "./cluster_prefixes.ts";
import { REPAIRED } from "./journal.ts";

/**
 * For so long after a replacement of the guard's tables may others' change to them have been taken for ours, in
 * milliseconds.
 */
const DOUBT_MS = 5_000;

export interface GuardReconcilerDependencies {
  readonly prefixes: Pick<ClusterPrefixes, "all" | "remember">;
  readonly ledger: Pick<AllocationLedger, "all">;
  readonly guard: Pick<PacketGuard, "replace" | "drift">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Makes the packet guard's tables what the live pods and the cluster's prefixes say. Level-triggered. */
export class GuardReconciler {
  /** The prefixes that it was last told; undefined: none yet. */
  #guarded: string | undefined;
  #replacedAt = -Infinity;

  constructor(private readonly deps: GuardReconcilerDependencies) {}

  /**
   * The whole table only when the cluster's prefixes changed. They are remembered first: an agent that dies in between
   * is not the wiser for less. Who may send is read only then, in the same turn as the replacement: of a pod that was
   * added while the disk wrote the grant would be lost, and of one that went it would come back.
   */
  async apply(): Promise<void> {
    const podPrefixes = this.deps.prefixes.all();
    await this.deps.prefixes.remember(podPrefixes);
    const wanted = textOf(podPrefixes);
    if (this.#guarded !== wanted) await this.#replace({ grants: this.#grants(), podPrefixes });
    this.#guarded = wanted;
  }

  /**
   * Puts back what others changed of the packet guard's tables. Before the cluster's prefixes are known, only tables
   * that are gone.
   *
   * The guard reads its tables back after it has replaced them, to know them again. Who changes them in between is
   * taken for right: so soon after a replacement, tables that others are known to have touched are replaced even if
   * they look as they should.
   *
   * @param options whether others are known to have touched the tables
   */
  async repair({ touched }: { touched: boolean }): Promise<void> {
    const { clock, logger } = this.deps;
    const drift = await this.#drift();
    if (drift !== undefined && this.#guarded === undefined) return;
    const doubtful = touched && clock.monotonic() - this.#replacedAt < DOUBT_MS;
    if (drift?.length === 0 && !doubtful) return;
    const looksRight = "tables flock, which others changed while they were replaced";
    const gone = "table inet flock or table arp flock is gone";
    const found = drift?.length === 0 ? [looksRight] : drift ?? [gone];
    for (const what of found) logger.warn(REPAIRED, { what, part: "guard" });
    await this.#replace(this.#state());
  }

  /**
   * Two looks: an ADD or DEL under way is in one of the ledger and the table, not yet in the other.
   *
   * @returns undefined when a table is gone
   */
  async #drift(): Promise<readonly string[] | undefined> {
    const first = await this.deps.guard.drift(this.#state());
    if (first?.length === 0) return [];
    const second = await this.deps.guard.drift(this.#state());
    if (first === undefined || second === undefined) return undefined;
    return second.filter((what) => first.includes(what));
  }

  async #replace(state: GuardState): Promise<void> {
    await this.deps.guard.replace(state);
    this.#replacedAt = this.deps.clock.monotonic();
  }

  #state(): GuardState {
    return { grants: this.#grants(), podPrefixes: this.deps.prefixes.all() };
  }

  #grants(): SourceGrant[] {
    return this.deps.ledger.all().flatMap(grantsOf);
  }
}
