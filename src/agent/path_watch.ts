import type { Clock } from "../clock/clock.ts";
import type { IpEvent } from "../exec/parse_ip_event.ts";
import type { Allocation } from "../ipam/allocation.ts";
import { PathTracker } from "../link/path_tracker.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { attachmentOf } from "./attachment_state.ts";
import { Throttle, type ThrottleOptions } from "./throttle.ts";

/** How long a path has to look broken, in milliseconds: an ADD may have ended before its messages were read. */
const CONFIRM_MS = 150;

export interface PathWatchOptions extends ThrottleOptions {
  readonly ledger: Pick<AllocationLedger, "all">;
  readonly clock: Clock;
  /** Somebody else has changed a pod's path. */
  broken(): void;
}

/** Judges what the kernel says of pods' paths by what the ledger says of pods. */
export class PathWatch {
  readonly #tracker = new PathTracker();
  readonly #judgement: Throttle;

  constructor(private readonly options: PathWatchOptions) {
    this.#judgement = new Throttle(() => void this.#judge().catch(() => {}), options); // rejects only when it is aborted
  }

  hear(event: IpEvent): void {
    if (this.#tracker.hear(event)) this.#judgement.ring();
  }

  /** Seen twice, as one and the same allocation: an ADD that is under way, and one that has just ended, is judged again. */
  async #judge(): Promise<void> {
    const suspects = new Set(this.#broken());
    if (suspects.size === 0) return;
    await this.options.clock.sleep(CONFIRM_MS, this.options.signal);
    const broken = this.#broken();
    if (broken.some((each) => each.state === "committed" && suspects.has(each))) {
      this.#tracker.reset();
      this.options.broken();
    } else if (broken.length > 0) this.#judgement.ring();
  }

  #broken(): Allocation[] {
    const paths = this.options.ledger.all().map((allocation) => ({ ...attachmentOf(allocation), allocation }));
    return this.#tracker.broken(paths).map(({ allocation }) => allocation);
  }
}
