/** The route driver on a real kernel; run by system_route_driver_linux_test.ts in a namespace of its own. */
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { linkOf, routeTo } from "../../tests/fakes/_route_contract.ts";
import { RealRouteBench } from "../../tests/fakes/_real_routes.ts";
import { expectOwnNamespace } from "../../tests/lab/in_namespace.ts";
import {
  type CommandRunner,
  type Conversation,
  type ConversationProtocol,
  expectSuccess,
} from "../exec/command_runner.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { IP_MONITOR, parseIpEvent } from "../exec/parse_ip_event.ts";
import { IP } from "../paths/paths.ts";
import type { RouteDriver } from "./route_driver.ts";
import { RouteTracker } from "./route_tracker.ts";
import { createRouteDriver } from "./system_route_driver.ts";

expectOwnNamespace();

const system = createSystemRunner();
let spawns = 0;
let lines = 0;
const runner: CommandRunner = {
  run: (argv, options) => {
    spawns++;
    return system.run(argv, options);
  },
  converse: (protocol) => {
    const conversation = system.converse(protocol);
    return {
      send: (block) => {
        lines += block.length;
        return conversation.send(block);
      },
      close: () => conversation.close(),
    };
  },
};
const openRoutes = (): RouteDriver => createRouteDriver({ runner, ip: IP, logger: { warn: (text) => assert(!text) } });
const bench = new RealRouteBench({ runner: system, openRoutes });
const DNS6 = "2001:db8:a::53";
const DNS4 = "192.0.2.53";
const WEB4 = "192.0.2.80";
const [POD1, POD2] = [linkOf(1), linkOf(2)];

async function sh(command: string): Promise<string> {
  const argv = ["/bin/sh", "-c", `PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${command}`] as const;
  return expectSuccess(argv, await system.run(argv)).stdout;
}

/** With two pods that have their own host routes. */
async function withDriver(test: (driver: RouteDriver) => Promise<void>): Promise<void> {
  for (const pod of [1, 2]) {
    await bench.addLink(linkOf(pod));
    await sh(`ip route add 203.0.113.${pod}/32 dev ${linkOf(pod)} proto 70 metric 20
      ip -6 route add 2001:db8:f::${pod}/128 dev ${linkOf(pod)} proto 70 metric 20`);
  }
  const driver = openRoutes();
  await test(driver);
  await driver.apply([]);
  await driver.close();
  for (const pod of [1, 2]) await bench.removeLink(linkOf(pod));
}

/** An ip that knows no resilient groups, as one of before Linux 5.13. */
function withoutResilient(protocol: ConversationProtocol): Conversation {
  const conversation = system.converse(protocol);
  return {
    send: (block) => conversation.send(block.map((line) => line.replace(/type resilient.*/, "type mpath buckets 8"))),
    close: () => conversation.close(),
  };
}

/** All that ip tells of routes and nexthops. */
function everything(): Promise<string> {
  return sh("ip -d route; ip -d -6 route show proto 70; ip -d -6 route show proto static; ip -d nexthop");
}

Deno.test("apply() of what is there costs no process and no line, and one change no process and less than 2 ms", async () => {
  await withDriver(async (driver) => {
    const others = Array.from({ length: 100 }, (_, index) => routeTo(`198.51.100.${index}`, 1));
    const [one, both] = [[...others, routeTo(DNS4, 1), routeTo(DNS6, 1)], [...others, routeTo(DNS4, 1, 2)]];
    await driver.apply(both);
    await driver.apply(one);
    [spawns, lines] = [0, 0];
    for (let round = 0; round < 100; round++) await driver.apply(one);
    assertEquals([spawns, lines], [0, 0]);
    const times: number[] = [];
    for (let round = 0; round < 50; round++) {
      const start = performance.now();
      await driver.apply(round % 2 === 0 ? both : one);
      times.push(performance.now() - start);
    }
    assertEquals(spawns, 0);
    assertLess(times.toSorted((a, b) => a - b)[25] ?? Infinity, 2);
  });
});

/** What others may do to routes to pods 1 and 2, one after the other, and what the driver says to it. */
function breaksOf(driver: RouteDriver): (() => [command: string, phrase: string])[] {
  const idOf = (fact: string): string => [...driver.left()].find(([, value]) => value === fact)?.[0].slice(8) ?? "";
  const groupOf = (address: string): string => driver.left().get(`route ${address}`) ?? "";
  const hop = (via: string, link: string): string => idOf(`${via} dev ${link}`);
  const words = "type resilient buckets 256 idle_timer 4 unbalanced_timer 8 protocol 70";
  return [
    () => [`ip route del ${DNS4}`, `route to ${DNS4} is missing`],
    () => [`ip -6 route del ${DNS6}`, `route to ${DNS6} is missing`],
    () => [`ip route change ${DNS4} dev lo metric 20`, `route to ${DNS4} is missing or altered`],
    () => [`ip route replace unreachable ${DNS4} metric 20 proto 70`, `route to ${DNS4} is missing or altered`],
    () => [`ip route change ${DNS4} via 203.0.113.2 dev ${POD2} metric 20 proto 70`, `route to ${DNS4} is missing`],
    () => [`ip route change ${DNS4} nhid ${groupOf(DNS4)} metric 20 proto 70 mtu 900`, `route to ${DNS4} is missing`],
    () => [
      `ip route replace ${WEB4} nhid ${groupOf(DNS4)} metric 20 proto 70`,
      `route to ${WEB4} is missing or altered`,
    ],
    () => [`ip -6 route replace ${DNS6} dev ${POD2} metric 20 proto 70`, `route to ${DNS6} is missing or altered`],
    () => [`ip nexthop del id ${groupOf(DNS4)}`, `next hop 203.0.113.1 dev ${POD1} of ${DNS4} is missing`],
    () => [`ip nexthop del id ${groupOf(DNS6)}`, `next hop 2001:db8:f::1 dev ${POD1} of ${DNS6} is missing`],
    () => [`ip nexthop del id ${hop("203.0.113.2", POD2)}`, `next hop 203.0.113.2 dev ${POD2} of ${DNS4} is missing`],
    () => {
      const [group, left] = [groupOf(DNS6), hop("2001:db8:f::2", POD2)];
      const command = `ip nexthop replace id ${group} group ${left} ${words}`;
      return [command, `next hop 2001:db8:f::1 dev ${POD1} of ${DNS6} is missing`];
    },
    () => {
      const command = `ip nexthop replace id ${
        hop("203.0.113.1", POD1)
      } via 203.0.113.9 dev ${POD2} onlink protocol 70`;
      return [command, `next hop 203.0.113.1 dev ${POD1} of ${DNS4} is missing`];
    },
    () => ["ip nexthop flush protocol 70", `route to ${DNS6} is missing`],
    () => [
      `ip link set ${POD1} down && ip link set ${POD1} up`,
      `next hop 203.0.113.1 dev ${POD1} of ${DNS4} is missing`,
    ],
  ];
}

Deno.test("whatever others do to routes, groups and hops is found after doubt(), told and undone", async () => {
  await withDriver(async (driver) => {
    const routes = [routeTo(DNS4, 1, 2), routeTo(DNS6, 1, 2), routeTo(WEB4, 2)];
    await driver.apply(routes);
    const whole = await bench.show();
    for (const action of breaksOf(driver)) {
      const [command, phrase] = action();
      await sh(command);
      driver.doubt();
      const phrases = await driver.apply(routes);
      assert(phrases.some((each) => each.includes(phrase)), `${command}: ${phrases.join("; ")}`);
      driver.doubt();
      assertEquals([await driver.apply(routes), await bench.show()], [[], whole], command);
      assertEquals((await sh("ip nexthop | grep -c .")).trim(), "9", `${command}: nothing is left over`);
    }
    const owner = driver.left().get(`route ${WEB4}`);
    await sh(`ip route replace ${DNS4} nhid ${owner} metric 20 proto 70`);
    driver.doubt();
    await driver.apply(routes);
    assertEquals(driver.left().get(`route ${WEB4}`), owner, "whose group it is keeps it, and its flows");
    assertEquals(await bench.show(), whole);
  });
});

Deno.test("what a former process left is taken over where it is whole, and removed where not; nothing else is touched", async () => {
  await withDriver(async (driver) => {
    await driver.apply([routeTo(DNS4, 1)]); // so that others' ids below are known to be in its way
    const next = Math.max(...[...driver.left().keys()].map((key) => Number(/^nexthop (\d+)$/.exec(key)?.[1] ?? 0))) + 1;
    await sh(`ip nexthop add id ${next} via 203.0.113.1 dev ${POD1} onlink protocol static
      ip nexthop add id ${next + 1} group ${next} protocol static
      ip nexthop add id 7 via 2001:db8:f::2 dev ${POD2}
      ip route add 198.51.100.1 nhid ${next + 1} proto static metric 20
      ip -6 route add 2001:db8:c::1 nhid 7 proto static
      ip route add ${DNS4} dev ${POD2} metric 50 proto static
      ip route add blackhole 198.51.100.0/24 proto 70 metric 4096`);
    await driver.apply([]);
    const foreign = await everything();
    await driver.apply([routeTo(DNS4, 1, 2), routeTo(DNS6, 1)]);
    assert(!driver.left().has(`nexthop ${next}`) && !driver.left().has(`nexthop ${next + 1}`));
    await sh(`ip nexthop add id 8 via 203.0.113.2 dev ${POD2} onlink protocol 70
      ip nexthop add id 9 group 8 protocol 70
      ip route add 192.0.2.99 nhid 9 proto 70 metric 20
      ip route add 192.0.2.98 via 203.0.113.2 dev ${POD2} onlink proto 70 metric 20
      ip -6 route add 2001:db8:a::99 via 2001:db8:f::2 dev ${POD2} proto 70 metric 20
      ip nexthop add id 10 blackhole protocol 70`);
    const heir = openRoutes();
    const whole = await bench.show();
    const phrases = await heir.apply([routeTo(DNS4, 1, 2), routeTo(DNS6, 1)]);
    const strays = ["192.0.2.98", "192.0.2.99", "2001:db8:a::99"];
    const what = ["nexthop 10", "nexthop 8", "nexthop 9", ...strays.map((to) => `route to ${to}`)];
    assertEquals(phrases.toSorted(), what.map((each) => `${each} was left over`));
    assertEquals(await bench.show(), Object.fromEntries(Object.entries(whole).filter(([to]) => !strays.includes(to))));
    assertEquals(heir.left(), driver.left());
    await heir.apply([]);
    assertEquals(await everything(), foreign);
    await heir.close();
    await sh(
      `ip nexthop del id ${next}; ip nexthop del id 7; ip route del ${DNS4}; ip route del blackhole 198.51.100.0/24`,
    );
  });
});

Deno.test("where there are no resilient groups, ordinary ones lead to the pods, and are taken over by the next process", async () => {
  await withDriver(async () => {
    const warnings: string[] = [];
    const open = (): RouteDriver => {
      const logger = { warn: (text: string): void => void warnings.push(text) };
      return createRouteDriver({ runner: { ...system, converse: withoutResilient }, ip: IP, logger });
    };
    const routes = [routeTo(DNS4, 1, 2), routeTo(DNS6, 1)];
    const [first, next] = [open(), open()];
    await first.apply([routeTo(DNS4, 1), routeTo(DNS6, 2)]);
    await first.apply(routes);
    const show = await bench.show();
    assertEquals(show[DNS4]?.length, 2);
    assertEquals([await next.apply(routes), await bench.show(), next.left()], [[], show, first.left()]);
    assert(!(await sh("ip nexthop")).includes("resilient"));
    assertEquals([await next.apply([]), await bench.show(), warnings.length], [[], {}, 2]);
    await Promise.all([first.close(), next.close()]);
  });
});

Deno.test("RouteTracker hears whatever others do to anycast routes, and takes nothing that the driver does for it", async () => {
  const stop = new AbortController();
  const tracker = new RouteTracker();
  let heard = 0;
  const hear = (line: string): void => {
    heard++;
    const event = parseIpEvent(line);
    if (event !== undefined) tracker.hear(event);
  };
  const monitor = system.follow([IP, ...IP_MONITOR], { signal: stop.signal, hear });
  await sh("sleep 0.2");
  /** Until the monitor has told of everything. */
  const settle = async (): Promise<void> => {
    for (let before = -1; before !== heard; await sh("sleep 0.1")) before = heard;
  };
  await withDriver(async (driver) => {
    const routes = [routeTo(DNS4, 1, 2), routeTo(DNS6, 1, 2), routeTo(WEB4, 2)];
    const states = [routes, [routeTo(DNS4, 1)], [], [routeTo(DNS4, 2), routeTo(DNS6, 1)], [routeTo(DNS6, 2)]];
    for (const before of states) {
      for (const after of states) {
        await driver.apply(before);
        await driver.apply(after);
      }
      await settle();
      assertEquals(tracker.broken(driver.left()), []);
    }
    await driver.apply(routes);
    await settle();
    assertGreater(heard, 100);
    for (const action of breaksOf(driver)) {
      tracker.reset();
      const [command] = action();
      await sh(command);
      await settle();
      assert(tracker.broken(driver.left()).length > 0, command);
      tracker.reset();
      driver.doubt();
      await driver.apply(routes);
      await settle();
      assertEquals(tracker.broken(driver.left()), [], command);
    }
    await sh(`ip -n ${POD1} link set eth0 down`);
    while (!(await sh(`ip link show ${POD1}`)).includes("NO-CARRIER")) await sh("sleep 0.1");
    await settle();
    assertEquals(tracker.broken(driver.left()).length, 3, "two objects for IPv4, one for IPv6");
    await sh(`ip -n ${POD1} link set eth0 up`);
  });
  stop.abort();
  await monitor;
});
