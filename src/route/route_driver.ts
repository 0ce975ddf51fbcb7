import type { ServiceRoute } from "../anycast/service_route.ts";
import type { Address } from "../ip/address.ts";

/** Something could not be made or removed; the rest is done. */
export class RoutesIncomplete extends Error {
  override readonly name = "RoutesIncomplete";
  /** @param unmade texts of wanted addresses that no route leads to, or only by hops that are not there */
  constructor(message: string, readonly unmade: ReadonlySet<string>) {
    super(message);
  }
}

/** Keeps the kernel's routes to anycast addresses of pods on this node. Knows nothing of pods. */
export interface RouteDriver {
  /**
   * Makes the routes so: one per address, by way of a group of its hops that keeps flows where they are when another
   * hop comes or goes. Changes only what differs from what it left, by the persistent process; what is as it was costs
   * nothing. Calls queue.
   *
   * The first call, and the first one after `doubt()`, reads the kernel: it takes for its own what is as it should be,
   * puts back what is not, and removes what else is flock's. Routes and nexthops of others stay, but for a route in the
   * very place of a wanted one, of the same prefix and metric.
   *
   * One that cannot be made keeps no other from being made: a route has the hops that could be. A hop can only be made
   * while its link is up and has a carrier, and goes with its link, with nothing said: who makes a link anew says so by
   * `doubt()`.
   *
   * @param routes the whole of it, each address once; host ends of flock's name
   * @returns when the kernel has them; a phrase for each thing that was other than this driver had left it, and for
   * what was left over
   * @throws RoutesIncomplete, when all is done, or what kept the kernel from being read; the next call looks and tries
   * again
   */
  apply(routes: readonly ServiceRoute[]): Promise<readonly string[]>;
  /** Somebody may have changed the kernel: the next `apply` reads what is there first. */
  doubt(): void;
  /**
   * What is there of flock's, whoever made it: for an agent that has lost its records. Changes nothing.
   *
   * @returns host link -> the addresses that routes lead there. @throws what kept the kernel from being read
   */
  found(): Promise<ReadonlyMap<string, readonly Address[]>>;
  /** What it left in the kernel, as `RouteTracker` compares it with what the kernel says. */
  left(): ReadonlyMap<string, string>;
  /** Ends the persistent process. Nothing is removed. */
  close(): Promise<void>;
}
