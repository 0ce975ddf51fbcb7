/** What a route driver promises, on whatever kernel: in memory, and on a real one. */
import { assertEquals, assertRejects } from "@std/assert";
import type { ServiceRoute } from "../../src/anycast/service_route.ts";
import { type Address, parseAddress } from "../../src/ip/address.ts";
import { type RouteDriver, RoutesIncomplete } from "../../src/route/route_driver.ts";

/** Where the drivers work. */
export interface RouteBench {
  /** A driver as a process has it that starts now. */
  openRoutes(): RouteDriver;
  /** Makes a pod's link, up and with a carrier. */
  addLink(link: string): Promise<void>;
  removeLink(link: string): Promise<void>;
  /** Somebody else removes the route. */
  removeRoute(address: string): Promise<void>;
  /** address -> `via dev link` of each hop, sorted: what the kernel has of flock's. */
  show(): Promise<Record<string, string[]>>;
}

/** One promise. */
export interface PromisedRoute {
  readonly title: string;
  verify(bench: RouteBench): Promise<void>;
}

const DNS6 = "2001:db8:a::53";
const DNS4 = "192.0.2.53";
const WEB4 = "192.0.2.80";

function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`Cannot read ${text}: it is no address`);
  return address;
}

/** The host end of a pod. */
export const linkOf = (pod: number): string => `flock0000000${pod}`;
const viaOf = (pod: number, address: string): string =>
  address.includes(":") ? `2001:db8:f::${pod}` : `203.0.113.${pod}`;
const shown = (address: string, ...pods: readonly number[]): string[] =>
  pods.map((pod) => `${viaOf(pod, address)} dev ${linkOf(pod)}`);

/** @returns a route to the pods of these numbers */
export function routeTo(address: string, ...pods: readonly number[]): ServiceRoute {
  const hops = pods.map((pod) => ({ link: linkOf(pod), via: addressOf(viaOf(pod, address)) }));
  return { address: addressOf(address), hops };
}

/** With the links of pods 1, 2 and 3. */
async function withLinks(bench: RouteBench, test: (driver: RouteDriver) => Promise<void>): Promise<void> {
  const pods = [1, 2, 3];
  for (const pod of pods) await bench.addLink(linkOf(pod));
  const driver = bench.openRoutes();
  await test(driver);
  assertEquals([await driver.apply([]), await bench.show()], [[], {}]);
  await driver.close();
  for (const pod of pods) await bench.removeLink(linkOf(pod));
}

export const ROUTE_CONTRACT: readonly PromisedRoute[] = [
  {
    title: "apply() makes the routes so, of both families, hop by hop, and from any state to any other",
    verify: (bench) =>
      withLinks(bench, async (driver) => {
        const states: [routes: ServiceRoute[], show: Record<string, string[]>][] = [
          [[], {}],
          [[routeTo(DNS4, 1)], { [DNS4]: shown(DNS4, 1) }],
          [[routeTo(DNS4, 1, 2)], { [DNS4]: shown(DNS4, 1, 2) }],
          [[routeTo(DNS4, 3), routeTo(DNS6, 3)], { [DNS4]: shown(DNS4, 3), [DNS6]: shown(DNS6, 3) }],
          [[routeTo(DNS6, 1, 2, 3), routeTo(WEB4, 2)], { [DNS6]: shown(DNS6, 1, 2, 3), [WEB4]: shown(WEB4, 2) }],
          [[routeTo(DNS6, 2)], { [DNS6]: shown(DNS6, 2) }],
        ];
        for (const [before] of states) {
          for (const [routes, show] of states) {
            await driver.apply(before);
            assertEquals([await driver.apply(routes), await bench.show()], [[], show]);
          }
        }
      }),
  },
  {
    title: "a link that goes takes its hops along, and apply() without them is no failure",
    verify: (bench) =>
      withLinks(bench, async (driver) => {
        await driver.apply([routeTo(DNS4, 1, 2), routeTo(DNS6, 1, 2), routeTo(WEB4, 1)]);
        await bench.removeLink(linkOf(1));
        assertEquals(await bench.show(), { [DNS4]: shown(DNS4, 2), [DNS6]: shown(DNS6, 2) });
        assertEquals(await driver.apply([routeTo(DNS4, 2), routeTo(DNS6, 2), routeTo(WEB4, 3)]), []);
        assertEquals(await bench.show(), {
          [DNS4]: shown(DNS4, 2),
          [DNS6]: shown(DNS6, 2),
          [WEB4]: shown(WEB4, 3),
        });
        await bench.addLink(linkOf(1));
        assertEquals(await driver.apply([routeTo(DNS4, 1)]), [], "a link that was made anew");
        assertEquals(await bench.show(), { [DNS4]: shown(DNS4, 1) });
      }),
  },
  {
    title: "a link that is made anew under its routes is found after doubt()",
    verify: (bench) =>
      withLinks(bench, async (driver) => {
        const routes = [routeTo(DNS4, 1, 2), routeTo(DNS6, 1)];
        await driver.apply(routes);
        await bench.removeLink(linkOf(1));
        await bench.addLink(linkOf(1));
        driver.doubt();
        const phrases = await driver.apply(routes);
        for (const address of [DNS4, DNS6]) {
          const phrase = `next hop ${shown(address, 1)} of ${address} is missing`;
          assertEquals(phrases.filter((each) => each === phrase), [phrase]);
        }
        assertEquals(await bench.show(), { [DNS4]: shown(DNS4, 1, 2), [DNS6]: shown(DNS6, 1) });
      }),
  },
  {
    title: "a hop that has no link fails the call, which names it, and nothing else; the next call tries again",
    verify: (bench) =>
      withLinks(bench, async (driver) => {
        const routes = [routeTo(DNS4, 1, 4), routeTo(DNS6, 4), routeTo(WEB4, 2)];
        for (let round = 0; round < 2; round++) {
          const error = await assertRejects(() => driver.apply(routes), RoutesIncomplete, "Cannot set routes: ");
          assertEquals([...error.unmade], [DNS6]);
          for (const address of [DNS4, DNS6]) {
            assertEquals(error.message.includes(`next hop ${shown(address, 4)}`), true, error.message);
          }
          assertEquals(await bench.show(), { [DNS4]: shown(DNS4, 1), [WEB4]: shown(WEB4, 2) });
        }
        await bench.addLink(linkOf(4));
        await driver.apply(routes);
        const whole = { [DNS4]: shown(DNS4, 1, 4), [DNS6]: shown(DNS6, 4), [WEB4]: shown(WEB4, 2) };
        assertEquals([await driver.apply(routes), await bench.show()], [[], whole]);
        await bench.removeLink(linkOf(4));
      }),
  },
  {
    title: "what somebody removed is put back after doubt(), with a phrase for it, and not looked at before",
    verify: (bench) =>
      withLinks(bench, async (driver) => {
        const routes = [routeTo(DNS4, 1), routeTo(DNS6, 1, 2)];
        const whole = { [DNS4]: shown(DNS4, 1), [DNS6]: shown(DNS6, 1, 2) };
        await driver.apply(routes);
        await bench.removeRoute(DNS4);
        assertEquals([await driver.apply(routes), await bench.show()], [[], { [DNS6]: shown(DNS6, 1, 2) }]);
        driver.doubt();
        const [phrase = "", ...others] = await driver.apply(routes);
        assertEquals([phrase.includes(DNS4), phrase.includes("is missing"), others], [true, true, []], phrase);
        assertEquals([await driver.apply(routes), await bench.show()], [[], whole]);
      }),
  },
  {
    title: "a driver that starts takes over what is wanted without a word, and removes what is not with a phrase",
    verify: (bench) =>
      withLinks(bench, async (driver) => {
        await driver.apply([routeTo(DNS4, 1, 2), routeTo(WEB4, 1), routeTo(DNS6, 3)]);
        const next = bench.openRoutes();
        assertEquals(await next.apply([routeTo(DNS4, 1, 2), routeTo(DNS6, 3, 1)]), [`route to ${WEB4} was left over`]);
        assertEquals(await bench.show(), { [DNS4]: shown(DNS4, 1, 2), [DNS6]: shown(DNS6, 1, 3) });
        assertEquals(await next.apply([]), []);
        await next.close();
        driver.doubt();
      }),
  },
  {
    title: "found() says which addresses lead to which link, whoever made the routes, and changes nothing",
    verify: (bench) =>
      withLinks(bench, async (driver) => {
        assertEquals(await driver.found(), new Map());
        await driver.apply([routeTo(DNS4, 1, 2), routeTo(DNS6, 1), routeTo(WEB4, 2)]);
        const next = bench.openRoutes();
        const found = new Map(
          [...await next.found()].map(([link, each]) => [link, each.map(({ text }) => text).sort()]),
        );
        assertEquals(found, new Map([[linkOf(1), [DNS4, DNS6]], [linkOf(2), [DNS4, WEB4]]]));
        assertEquals([await driver.apply([routeTo(DNS4, 1, 2), routeTo(DNS6, 1), routeTo(WEB4, 2)])], [[]]);
        await next.close();
      }),
  },
  {
    title: "a link that is not named as flock's are is refused",
    verify: async (bench) => {
      const driver = bench.openRoutes();
      const hop = { link: "eth0\nlink del eth0", via: addressOf("203.0.113.1") };
      await assertRejects(() => driver.apply([{ address: addressOf(DNS4), hops: [hop] }]), Error, "is no host link");
      assertEquals(await bench.show(), {});
      await driver.close();
    },
  },
];
