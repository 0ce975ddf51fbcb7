import { assertEquals } from "@std/assert";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import { parseIpEvent } from "../exec/parse_ip_event.ts";
import { RouteWatch } from "./route_watch.ts";

const LINK = "flock0badcafe";
const LEFT = new Map([["nexthop 7", `10.0.0.7 dev ${LINK}`], ["nexthop 9", "7"], ["route 192.0.2.53", "9"]]);
const ROUTE = "[ROUTE]unicast 192.0.2.53 nhid 9 table main proto 70 scope global metric 20 ";
const NO_ROUTE = ROUTE.replace("]", "]Deleted ");
const GROUP_OF_TWO = "[NEXTHOP]id 9 group 7/8 type resilient scope global proto 70 ";

interface World extends Disposable {
  left: ReadonlyMap<string, string>;
  hear(line: string): void;
  /** How often routes were told to be broken, after so many milliseconds more. */
  after(ms: number): Promise<number>;
}

function openWorld(): World {
  const stop = new AbortController();
  const clock = new HandClock();
  let broken = 0;
  const world = { left: LEFT };
  const watch = new RouteWatch({
    ...{ delayMs: 100, everyMs: 500, clock, signal: stop.signal },
    routes: { left: () => world.left },
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

Deno.test("RouteWatch tells once of a route that somebody removed, and again when it is removed again", async () => {
  using world = openWorld();
  world.hear(NO_ROUTE);
  assertEquals(await world.after(1500), 1);
  world.hear(ROUTE);
  assertEquals(await world.after(1500), 1);
  world.hear(NO_ROUTE);
  assertEquals(await world.after(1500), 2);
});

Deno.test("RouteWatch tells of a link that takes its hops along", async () => {
  using world = openWorld();
  world.hear(`[LINK]3: ${LINK}@if2: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state DOWN `);
  assertEquals(await world.after(1500), 1);
});

Deno.test("RouteWatch tells nothing of a change of the driver's own, whose messages come before or after it has noted it", async () => {
  using world = openWorld();
  world.hear(GROUP_OF_TWO);
  await world.after(120);
  world.left = new Map([...LEFT, ["nexthop 8", "10.0.0.8 dev flock0000cafe"], ["nexthop 9", "7/8"]]);
  assertEquals(await world.after(1500), 0);
  world.left = LEFT;
  await world.after(120);
  world.hear(GROUP_OF_TWO.replace("7/8", "7"));
  assertEquals(await world.after(1500), 0);
});
