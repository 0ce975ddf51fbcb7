import { assertEquals } from "@std/assert";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import { parseIpEvent } from "../exec/parse_ip_event.ts";
import { hostLinkName } from "../hash/container_hash.ts";
import type { Allocation } from "../ipam/allocation.ts";
import { PathWatch } from "./path_watch.ts";

const LINK = hostLinkName("c1");
const PENDING: Allocation = {
  ...{ containerId: "c1", ifname: "eth0", netns: "/run/netns/c1", hostLink: LINK, podMac: "02:00:00:00:00:01" },
  ...{ mtu: 1500, ipv4: "10.0.0.7", state: "pending", createdAt: 0 },
};
const COMMITTED: Allocation = { ...PENDING, state: "committed" };
const ROUTE = `[ROUTE]10.0.0.7 dev ${LINK} proto 70 scope link metric 20 `;
const NO_ROUTE = ROUTE.replace("]", "]Deleted ");

interface World extends Disposable {
  allocations: Allocation[];
  hear(line: string): void;
  /** How often a path was told to be broken, after so many milliseconds more. */
  after(ms: number): Promise<number>;
}

function openWorld(): World {
  const stop = new AbortController();
  const clock = new HandClock();
  let broken = 0;
  const world: { allocations: Allocation[] } = { allocations: [COMMITTED] };
  const watch = new PathWatch({
    ...{ delayMs: 100, everyMs: 500, clock, signal: stop.signal },
    ledger: { all: () => world.allocations },
    broken: () => broken++,
  });
  return Object.assign(world, {
    hear: (line: string) => {
      const event = parseIpEvent(line);
      if (event !== undefined) watch.hear(event);
    },
    after: async (ms: number) => {
      await clock.pass(ms);
      return broken;
    },
    [Symbol.dispose]: () => stop.abort(),
  });
}

Deno.test("PathWatch tells once of a path that stays broken", async () => {
  using world = openWorld();
  world.hear(NO_ROUTE);
  assertEquals(await world.after(1500), 1);
  world.hear(NO_ROUTE);
  assertEquals(await world.after(1500), 2);
});

Deno.test("PathWatch tells nothing of a path that is whole by the time it is judged again, nor of one that has gone", async () => {
  using world = openWorld();
  world.hear(NO_ROUTE);
  await world.after(150);
  world.hear(ROUTE);
  assertEquals(await world.after(1000), 0);
  world.hear(NO_ROUTE);
  await world.after(150);
  world.allocations = [];
  assertEquals(await world.after(1000), 0);
});

Deno.test("PathWatch judges a path whose ADD is under way when that has ended", async () => {
  using world = openWorld();
  world.allocations = [PENDING];
  world.hear(NO_ROUTE);
  assertEquals(await world.after(1000), 0);
  world.allocations = [COMMITTED];
  assertEquals(await world.after(1500), 1);
});
