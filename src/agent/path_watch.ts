import type { Clock } from "../clock/clock.ts";
import type { IpEvent } from "../exec/parse_ip_event.ts";
import type { Allocation } from "../ipam/allocation.ts";
import { PathTracker } from "../link/path_tracker.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { attachmentOf } from "./attachment_state.ts";
import type { ThrottleOptions } from "./throttle.ts";
import { TwiceSeen } from "./twice_seen.ts";

export interface PathWatchOptions extends ThrottleOptions {
  readonly ledger: Pick<AllocationLedger, "all">;
  readonly clock: Clock;
  /** Somebody else has changed a pod's path. */
  broken(): void;
}

/** Judges what the kernel says of pods' paths by what the ledger says of pods. */
export class PathWatch {
  readonly #tracker = new PathTracker();
  readonly #judgement: TwiceSeen<Allocation>;

  constructor(private readonly options: PathWatchOptions) {
    this.#judgement = new TwiceSeen({
      ...options,
      suspects: () => this.#broken(),
      counts: ({ state }) => state === "committed", // an ADD that is under way is judged again
      confirmed: () => {
        this.#tracker.reset();
        options.broken();
      },
    });
  }

  hear(event: IpEvent): void {
    if (this.#tracker.hear(event)) this.#judgement.ring();
  }

  #broken(): Allocation[] {
    const paths = this.options.ledger.all().map((allocation) => ({ ...attachmentOf(allocation), allocation }));
    return this.#tracker.broken(paths).map(({ allocation }) => allocation);
  }
}
