import type { RouteDriver } from "../../src/route/route_driver.ts";

/** A RouteDriver for those who have no anycast addresses: it refuses to have any. */
export const IDLE_ROUTES: RouteDriver = {
  apply: (routes) =>
    routes.length === 0 ? Promise.resolve([]) : Promise.reject(new Error("Cannot route: there is no kernel here")),
  doubt: () => {},
  found: () => Promise.resolve(new Map()),
  left: () => new Map(),
  close: () => Promise.resolve(),
};
