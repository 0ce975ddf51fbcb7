import { HOST_LINK } from "../hash/container_hash.ts";
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { Counted } from "../nft/text_table.ts";
import { type Direction, DIRECTIONS } from "../policy/network_policy.ts";
import { podChainName } from "../policy/names.ts";

/** Reading costs three processes, and what they read is as large as the tables: not more often than this, in milliseconds. */
const PAUSE_MS = 5_000;

/** What NetworkPolicy has dropped of one pod's packets in one direction. */
export interface PodDrops {
  /** Host end of the pod's link. */
  readonly link: string;
  readonly direction: Direction;
  readonly packets: number;
}

export interface DropMeterDependencies {
  /** Tables with named counters: the packet guard's, whose counters are named for what they drop, and that of the policies. */
  readonly tables: readonly { counters(): Promise<ReadonlyMap<string, Counted>> }[];
  readonly clock: Pick<Clock, "monotonic">;
  readonly logger: Logger;
}

/**
 * Adds up what the kernel's counters say, so that the sums outlive tables that are replaced and pods that go. Looks only while somebody
 * asks, and not within the answer: who asks learns what was so at the time of the question before.
 */
export class DropMeter {
  // table's index and counter -> what it showed last
  readonly #shown = new Map<string, number>();
  readonly #totals = new Map<string, number>();
  #pods: readonly PodDrops[] = [];
  #lookedAt = -Infinity;
  #looking: Promise<void> | undefined;

  constructor(private readonly deps: DropMeterDependencies) {}

  /** reason -> packets dropped since the start: the guard's counters by name, `policy_ingress` and `policy_egress`. */
  get totals(): ReadonlyMap<string, number> {
    return this.#totals;
  }

  /** Of the pods that NetworkPolicy isolates now. Zero again when the table is replaced. */
  get pods(): readonly PodDrops[] {
    return this.#pods;
  }

  /** Asks for a look, if the last one is old. Never throws. @returns when none is under way */
  look(): Promise<void> {
    const { clock } = this.deps;
    if (this.#looking === undefined && clock.monotonic() - this.#lookedAt >= PAUSE_MS) {
      this.#lookedAt = clock.monotonic();
      this.#looking = this.#read().finally(() => {
        this.#looking = undefined;
      });
    }
    return this.#looking ?? Promise.resolve();
  }

  async #read(): Promise<void> {
    try {
      const tables = await Promise.all(this.deps.tables.map((table) => table.counters()));
      this.#add(tables);
      this.#pods = tables.flatMap((counters) => [...counters]).flatMap(([name, { packets }]) => {
        const pod = podOfCounter(name);
        return pod === undefined ? [] : [{ ...pod, packets }];
      });
    } catch (error) {
      this.deps.logger.warn("dropped packets not counted", { error: String(error) });
    }
  }

  /** A counter that shows less than before was made anew. */
  #add(tables: readonly ReadonlyMap<string, Counted>[]): void {
    const shown = new Map<string, number>();
    for (const [index, counters] of tables.entries()) {
      for (const [name, { packets }] of counters) {
        const key = `${index} ${name}`;
        const before = this.#shown.get(key) ?? 0;
        const direction = podOfCounter(name)?.direction;
        const reason = direction === undefined ? name : `policy_${direction}`;
        const more = packets >= before ? packets - before : packets;
        this.#totals.set(reason, (this.#totals.get(reason) ?? 0) + more);
        shown.set(key, packets);
      }
    }
    this.#shown.clear();
    for (const [key, packets] of shown) this.#shown.set(key, packets);
  }
}

function podOfCounter(name: string): Pick<PodDrops, "link" | "direction"> | undefined {
  const link = name.slice(name.indexOf("_") + 1);
  if (!HOST_LINK.test(link)) return undefined;
  const direction = DIRECTIONS.find((each) => podChainName(link, each) === name);
  return direction === undefined ? undefined : { link, direction };
}
