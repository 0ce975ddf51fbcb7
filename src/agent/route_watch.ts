import type { Clock } from "../clock/clock.ts";
import type { IpEvent } from "../exec/parse_ip_event.ts";
import type { RouteDriver } from "../route/route_driver.ts";
import { RouteTracker } from "../route/route_tracker.ts";
import type { ThrottleOptions } from "./throttle.ts";
import { TwiceSeen } from "./twice_seen.ts";

export interface RouteWatchOptions extends ThrottleOptions {
  readonly routes: Pick<RouteDriver, "left">;
  readonly clock: Clock;
  /** Somebody else has changed an anycast route, or what it leads by, or a link has taken it along. */
  broken(): void;
}

/** Judges what the kernel says of anycast routes by what their driver left. */
export class RouteWatch {
  readonly #tracker = new RouteTracker();
  readonly #judgement: TwiceSeen<string>;

  constructor(options: RouteWatchOptions) {
    this.#judgement = new TwiceSeen({
      ...options,
      suspects: () => this.#tracker.broken(options.routes.left()),
      confirmed: () => {
        this.#tracker.reset();
        options.broken();
      },
    });
  }

  hear(event: IpEvent): void {
    if (this.#tracker.hear(event)) this.#judgement.ring();
  }
}
