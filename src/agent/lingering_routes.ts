import type { ServiceRoute } from "../anycast/service_route.ts";
import type { Clock } from "../clock/clock.ts";

/** How long the route to the last pod of this node stays when routers were told of its end: they take their time, FRR 60 ms (spec section 8). */
export const LINGER_MS = 1_000;

/** For so long at most do routers wait for a BIRD that restarts, in milliseconds: `graceful restart time` of its configuration. */
const RESTART_MS = 120_000;

/** What stays in the kernel beside what is wanted. */
export interface Lingering {
  readonly routes: readonly ServiceRoute[];
  /** Whether one more lingers than before, or one for longer; it ends so many milliseconds from now. */
  readonly started: boolean;
  readonly endsIn: number;
}

/** Routes that nobody is told of any more, for packets that are under way: pods that drain still answer. */
export class LingeringRoutes {
  // address -> its last route, since when nobody is to be told of it, and when it ends, monotonic milliseconds
  readonly #ending = new Map<
    string,
    { readonly route: ServiceRoute; readonly since: number; readonly until: number }
  >();

  constructor(private readonly clock: Pick<Clock, "monotonic">) {}

  /**
   * @param told what routers were last told of
   * @param now what they are to be told, whether the pod behind a link still claims an address (the end of its claim ends its route), and
   *   whether BIRD is in force as it was last told: until it is, routers know of no end, those that wait for its restart neither
   */
  after(
    told: readonly ServiceRoute[],
    now: {
      routes: readonly ServiceRoute[];
      isClaimed: (link: string, address: string) => boolean;
      isHeard: boolean;
    },
  ): Lingering {
    const time = this.clock.monotonic();
    const wanted = new Set(now.routes.map(({ address }) => address.text));
    const ended = told.filter(({ address: { text } }) => !wanted.has(text) && !this.#ending.has(text));
    for (const route of ended) this.#ending.set(route.address.text, { route, since: time, until: time + LINGER_MS });
    const unheard = now.isHeard ? [] : [...this.#ending].filter(([, { since }]) => time - since < RESTART_MS);
    for (const [text, ending] of unheard) this.#ending.set(text, { ...ending, until: time + LINGER_MS });
    for (const [text, { until }] of this.#ending) if (wanted.has(text) || until <= time) this.#ending.delete(text);
    const routes = [...this.#ending.values()].flatMap(({ route: { address, hops } }) => {
      const left = hops.filter(({ link }) => now.isClaimed(link, address.text));
      return left.length === 0 ? [] : [{ address, hops: left }];
    });
    return { routes, started: ended.length > 0 || (unheard.length > 0 && routes.length > 0), endsIn: LINGER_MS };
  }
}
