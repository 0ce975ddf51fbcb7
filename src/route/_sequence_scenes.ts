/** The route driver on a real kernel, through states, restarts and damage in random order; run by system_route_driver_linux_test.ts. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { linkOf, routeTo } from "../../tests/fakes/_route_contract.ts";
import { RealRouteBench } from "../../tests/fakes/_real_routes.ts";
import { expectOwnNamespace } from "../../tests/lab/in_namespace.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { IP } from "../paths/paths.ts";
import type { RouteDriver } from "./route_driver.ts";
import { createRouteDriver } from "./system_route_driver.ts";

expectOwnNamespace();

const PODS = [1, 2, 3] as const;
const ADDRESSES = ["192.0.2.53", "192.0.2.80", "2001:db8:a::53"] as const;
const runner = createSystemRunner();
const openRoutes = (): RouteDriver => createRouteDriver({ runner, ip: IP, logger: { warn: () => {} } });
const bench = new RealRouteBench({ runner, openRoutes });

type Step =
  /** For each address the pods that serve it from now on. */
  | { readonly kind: "serve"; readonly pods: readonly (readonly number[])[] }
  /** The pod's link goes, another one serves in its place at once, if any, and a link of its name comes back. */
  | { readonly kind: "leave"; readonly pod: number; readonly heir: number }
  /** The pod's link is made anew, while the pod serves. */
  | { readonly kind: "renew"; readonly pod: number }
  | { readonly kind: "restart" }
  /** Somebody removes the nexthop object at that place of the list. */
  | { readonly kind: "damage"; readonly place: number }
  | { readonly kind: "unroute"; readonly address: number };

const SOME_PODS = fc.subarray([...PODS]);
const STEP: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("serve"), pods: fc.tuple(SOME_PODS, SOME_PODS, SOME_PODS) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("leave"), pod: fc.constantFrom(...PODS), heir: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("renew"), pod: fc.constantFrom(...PODS) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart") }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("damage"), place: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("unroute"), address: fc.nat(2) }) },
);

/** A node, and which pods serve which of its addresses. */
class World {
  #driver = openRoutes();
  #serving: readonly (readonly number[])[] = [[], [], []];

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case "serve":
        this.#serving = step.pods;
        break;
      case "leave":
        await bench.removeLink(linkOf(step.pod));
        this.#serving = this.#serving.map((
          pods,
        ) => [...new Set(pods.map((pod) => pod === step.pod ? step.heir : pod))]);
        this.#serving = this.#serving.map((pods) => pods.filter((pod) => pod !== step.pod && pod !== 0).sort());
        await this.settle();
        await bench.addLink(linkOf(step.pod));
        break;
      case "renew":
        await bench.removeLink(linkOf(step.pod));
        await bench.addLink(linkOf(step.pod));
        this.#driver.doubt();
        break;
      case "restart":
        await this.#driver.close();
        this.#driver = openRoutes();
        break;
      case "damage": {
        const ids = [...this.#driver.left().keys()].filter((key) => key.startsWith("nexthop "));
        const id = ids[step.place]?.slice("nexthop ".length);
        if (id !== undefined) await runner.run([IP, "nexthop", "del", "id", id]);
        this.#driver.doubt();
        break;
      }
      case "unroute":
        await runner.run([IP, "route", "del", ADDRESSES[step.address] ?? ""]);
        this.#driver.doubt();
    }
    await this.settle();
  }

  /** The driver is told what should be; then the kernel has that, and nothing else of ours. */
  async settle(): Promise<void> {
    const routes = ADDRESSES.flatMap((address, index) => {
      const pods = this.#serving[index] ?? [];
      return pods.length === 0 ? [] : [routeTo(address, ...pods)];
    });
    await this.#driver.apply(routes);
    const wanted = routes.map((
      { address, hops },
    ) => [address.text, hops.map(({ via, link }) => `${via.text} dev ${link}`)]);
    assertEquals(await bench.show(), Object.fromEntries(wanted));
    const left = [...this.#driver.left().keys()].filter((key) => key.startsWith("nexthop "));
    const found = [...(await bench.ip("nexthop")).matchAll(/^id (\d+) /gm)].map(([, id]) => `nexthop ${id}`);
    assertEquals(found.toSorted(), left.toSorted());
  }

  async end(): Promise<void> {
    await this.take({ kind: "serve", pods: [[], [], []] });
    await this.#driver.close();
  }
}

Deno.test("whatever happens in whatever order, the kernel has the routes that are wanted after each call, and nothing else of ours", async () => {
  for (const pod of PODS) await bench.addLink(linkOf(pod));
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { minLength: 5, maxLength: 25 }), async (steps) => {
      const world = new World();
      for (const step of steps) await world.take(step);
      await world.end();
    }),
    { numRuns: 25, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true },
  );
});
