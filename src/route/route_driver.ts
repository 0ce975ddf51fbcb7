import type { ServiceRoute } from "../anycast/service_route.ts";

/** Keeps the kernel's routes to anycast addresses of pods on this node. Knows nothing of pods. */
export interface RouteDriver {
  /**
   * Makes the routes so: one per address, to its only hop or, by a group that keeps flows where they are when another hop comes or goes,
   * to all of them. Changes only what differs, by the persistent process; what is as it was costs nothing. Routes of others stay.
   * One that cannot be made keeps no other from being made.
   *
   * @returns when the kernel has them; a phrase for each thing that was other than this driver had left it
   * @throws what could not be made, when all is done; the next call tries again
   */
  apply(routes: readonly ServiceRoute[]): Promise<readonly string[]>;
  /** Somebody may have changed the kernel: the next `apply` reads what is there first. */
  doubt(): void;
  /** Ends the persistent process. */
  close(): Promise<void>;
}
