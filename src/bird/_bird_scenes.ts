/** What `system_bird_driver_linux_test.ts` runs in a namespace of its own: a node, a router with BIRD, a router with FRR. */
import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import type { BirdConfig } from "../bgp/bird_config.ts";
import { chooseRouterId } from "../bgp/choose_router_id.ts";
import { renderBird } from "../bgp/render_bird.ts";
import { ip, prefix } from "../bgp/testdata/cases.ts";
import { systemClock } from "../clock/clock.ts";
import { createLogger } from "../log/logger.ts";
import { IP } from "../paths/paths.ts";
import type { BirdDriver, SessionState } from "./bird_driver.ts";
import { createBirdDriver } from "./system_bird_driver.ts";
import { ask, type Daemon, output, plugIn, runner, startBgpd, startBird, unplug, until } from "./_bgp_bench.ts";
import { expectOwnNamespace } from "../../tests/lab/in_namespace.ts";

expectOwnNamespace();

const BOOTSTRAP = Deno.readTextFileSync(new URL("../../deploy/bird.conf", import.meta.url));

const ROUTER_BIRD = `log stderr all;
router id 192.0.2.1;
protocol device { }
protocol static { ipv4;
  route 10.77.0.0/16 blackhole;
  route 10.88.0.0/16 blackhole;
  route 192.0.2.0/24 blackhole;
  route 203.0.113.0/28 blackhole;
  route 203.0.113.9/32 blackhole;
}
protocol static { ipv6; route 2001:db8:77::/48 blackhole; route 2001:db8:1::/64 blackhole; }
protocol bgp node4 {
  local 192.0.2.1 as 65000; neighbor 192.0.2.10 as 65101; connect delay time 1; error wait time 1, 2;
  ipv4 { import all; export where source = RTS_STATIC; };
}
protocol bgp node6 {
  local 2001:db8:1::1 as 65000; neighbor 2001:db8:1::a as 65101; connect delay time 1; error wait time 1, 2;
  ipv6 { import all; export where source = RTS_STATIC; };
}
`;

const ROUTER_FRR = `log stdout
router bgp 65000
 bgp router-id 198.51.100.1
 no bgp default ipv4-unicast
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 198.51.100.10 remote-as 65101
 address-family ipv4 unicast
  neighbor 198.51.100.10 activate
  network 10.88.0.0/16
`;

const PEER_BIRD = { address: ip("192.0.2.1"), asn: 65000, localAsn: 65101, localAddress: ip("192.0.2.10") };
const PEER_FRR = { address: ip("198.51.100.1"), asn: 65000, localAsn: 65101, localAddress: ip("198.51.100.10") };
const PEER_SIX = { address: ip("2001:db8:1::1"), asn: 65000, localAsn: 65101, localAddress: ip("2001:db8:1::a") };

const NODE: BirdConfig = {
  routerId: ip("192.0.2.10"),
  peers: [PEER_BIRD, PEER_FRR],
  aggregates: [prefix("203.0.113.0/26")],
  hostRoutes: [],
  anycastRoutes: [],
  refusedImports: ["192.0.2.0/24", "192.0.2.10/32", "198.51.100.0/24", "198.51.100.10/32"].map(prefix),
};

interface Node {
  readonly driver: BirdDriver & { close(): void };
  /** Of the node's BIRD. */
  readonly directory: string;
  /** The driver's log lines so far. */
  readonly logged: string[];
  /** Daemons to end. */
  readonly daemons: Daemon[];
}

async function withNode(body: (node: Node) => Promise<void>): Promise<void> {
  const directory = await directoryWith("bird.conf", BOOTSTRAP);
  const logged: string[] = [];
  const logger = createLogger((line) => logged.push(line), { level: "debug", now: () => 0 });
  const paths = { configPath: `${directory}/bird.conf`, socketPath: `${directory}/bird.ctl` };
  const node: Node = {
    driver: createBirdDriver({ runner, clock: systemClock, logger, ...paths }),
    directory,
    logged,
    daemons: [],
  };
  try {
    await body(node);
  } finally {
    node.driver.close();
    for (const daemon of node.daemons) await daemon.kill();
    await Deno.remove(directory, { recursive: true });
  }
}

/** In /run, which these scenes have for themselves. */
async function directoryWith(name: string, text: string): Promise<string> {
  const directory = await Deno.makeTempDir({ dir: "/run" });
  await Deno.writeTextFile(`${directory}/${name}`, text);
  return directory;
}

const kernel = (...words: string[]): Promise<string> => output(IP, ...words);

async function session(driver: BirdDriver, peer: string): Promise<SessionState | undefined> {
  return (await driver.sessions()).find(({ peer: { text } }) => text === peer);
}

async function established(driver: BirdDriver, ...peers: string[]): Promise<number> {
  const up = async (): Promise<boolean> => {
    const states = await Promise.all(peers.map((peer) => session(driver, peer)));
    return states.every((state) => state?.established);
  };
  return await until(`sessions with ${peers.join(", ")} are up`, up, 15_000);
}

/** BIRD's word for when its present connection began: it changes with every session. */
async function sessionMarks(directory: string): Promise<string[]> {
  const lines = await ask(directory, 'show protocols "peer*"');
  return lines.filter((line) => line.startsWith("peer"));
}

/** How many updates the BIRD router has received from the node in all. */
async function updatesReceived(router: string): Promise<number> {
  const lines = await ask(router, "show protocols all node4");
  return Number(/Import updates:\s+(\d+)/.exec(lines.join("\n"))?.[1]);
}

async function routerHas(router: string, net: string): Promise<boolean> {
  return (await ask(router, `show route for ${net}`)).some((line) => line.startsWith(net));
}

Deno.test("a node with a BIRD and an FRR router", async (t) => {
  const bird = await directoryWith("bird.conf", ROUTER_BIRD);
  const frr = await directoryWith("bgpd.conf", ROUTER_FRR);
  const vtysh = (command: string): Promise<string> =>
    output("/usr/bin/vtysh", "--vty_socket", frr, "-d", "bgpd", "-c", command);
  await plugIn({
    netns: "bird",
    node: ["192.0.2.10/24", "2001:db8:1::a/64"],
    router: ["192.0.2.1/24", "2001:db8:1::1/64"],
  });
  await plugIn({ netns: "frr", node: ["198.51.100.10/24"], router: ["198.51.100.1/24"] });
  await withNode(async (node) => {
    const { driver, directory, daemons } = node;
    let own = await startBird(directory);
    daemons.push(await startBird(bird, "bird"), await startBgpd(frr, "frr"), { kill: () => own.kill() });

    await t.step("apply() brings up the sessions, and both routers learn the aggregate", async () => {
      assertEquals(await driver.sessions(), []);
      assertEquals(await driver.apply(renderBird(NODE)), { applied: true });
      await established(driver, "192.0.2.1", "198.51.100.1");
      await until("BIRD has the aggregate", () => routerHas(bird, "203.0.113.0/26"));
      await until(
        "FRR has the aggregate",
        async () => (await vtysh("show bgp ipv4 unicast")).includes("203.0.113.0/26"),
      );
    });

    await t.step("sessions() tells since when, in ISO 8601", async () => {
      const since = (await session(driver, "192.0.2.1"))?.since ?? "";
      assertLess(Math.abs(Date.now() - Date.parse(since)), 60_000);
    });

    await t.step("what is connected, and parts of the own CIDR, are not imported; all else is", async () => {
      await until(
        "10.77.0.0/16 is in the kernel",
        async () => (await kernel("route", "show", "10.77.0.0/16")).includes("via 192.0.2.1"),
      );
      assertEquals((await kernel("route", "show", "exact", "192.0.2.0/24")).includes("proto bird"), false);
      assertEquals(await kernel("route", "show", "exact", "203.0.113.0/28"), "");
      assert((await kernel("route", "show", "exact", "203.0.113.9/32")).includes("via 192.0.2.1"));
    });

    await t.step("what both routers offer goes by both", async () => {
      const route = (): Promise<string> => kernel("route", "show", "exact", "10.88.0.0/16");
      const viaBoth = (text: string): boolean =>
        ["192.0.2.1", "198.51.100.1"].every((hop) => text.includes(`via ${hop} `));
      await until("the route has two next hops", async () => viaBoth(await route()));
    });

    await t.step("the kernel gets none of the node's own statics", async () => {
      assertEquals(await kernel("route", "show", "exact", "203.0.113.0/26"), "");
    });

    await t.step("a host route is a pure delta: one update on the wire, every session as it was", async () => {
      const [marks, updates] = [await sessionMarks(directory), await updatesReceived(bird)];
      await driver.apply(renderBird({ ...NODE, hostRoutes: [prefix("198.18.0.1/32")] }));
      await until("BIRD has the host route", () => routerHas(bird, "198.18.0.1/32"));
      await until(
        "FRR has the host route",
        async () => (await vtysh("show bgp ipv4 unicast")).includes("198.18.0.1/32"),
      );
      assertEquals(await updatesReceived(bird), updates + 1);
      await driver.apply(renderBird(NODE));
      await until("BIRD lost the host route", async () => !await routerHas(bird, "198.18.0.1/32"));
      assertEquals(await updatesReceived(bird), updates + 1);
      assertEquals(await sessionMarks(directory), marks);
    });

    await t.step("a refused text leaves everything as it was", async () => {
      const state = async (): Promise<unknown[]> => [
        await sessionMarks(directory),
        await Deno.readTextFile(`${directory}/bird.conf`),
        (await ask(directory, "show protocols")).length,
        node.logged.length,
      ];
      const before = await state();
      const outcome = await driver.apply(`${renderBird({ ...NODE, peers: [] })}up;\n`);
      assert(!outcome.applied && outcome.reason === "refused");
      assert(outcome.message.includes("syntax error"), outcome.message);
      assertEquals(await state(), before);
    });

    await t.step("a burst of 100 is a few reloads, and the last one wins", async () => {
      const before = node.logged.length;
      const start = performance.now();
      const outcomes = Array.from({ length: 100 }, async (_, i) => {
        await systemClock.sleep(i);
        return await driver.apply(renderBird({ ...NODE, hostRoutes: [prefix(`198.18.1.${i}/32`)] }));
      });
      assert((await Promise.all(outcomes)).every(({ applied }) => applied));
      const reloads = node.logged.slice(before).filter((line) => line.includes("BIRD reconfigured")).length;
      assertLessOrEqual(reloads, Math.ceil((performance.now() - start) / 20) + 1);
      await until("BIRD has the last host route", () => routerHas(bird, "198.18.1.99/32"));
      const hosts = (await ask(directory, "show route protocol hosts4")).filter((line) => line.startsWith("198.18"));
      assertEquals(hosts.length, 1);
      await driver.apply(renderBird(NODE));
    });

    await t.step("a changed peer leaves the other's session alone", async () => {
      const mark = async (): Promise<string | undefined> =>
        (await sessionMarks(directory)).find((line) => line.startsWith("peer4_c6336401"));
      const before = await mark();
      await driver.apply(renderBird({ ...NODE, peers: [PEER_FRR] }));
      await until("the other session is gone", async () => (await driver.sessions()).length === 1);
      assertEquals(await mark(), before);
      await until("its route is gone", async () => (await kernel("route", "show", "10.77.0.0/16")) === "");
    });

    await t.step("a BIRD that was killed and starts from the bootstrap file is configured again", async () => {
      const text = renderBird(NODE);
      await driver.apply(text);
      await established(driver, "192.0.2.1", "198.51.100.1");
      await own.kill();
      await Deno.writeTextFile(`${directory}/bootstrap.conf`, BOOTSTRAP);
      await Deno.rename(`${directory}/bird.conf`, `${directory}/kept.conf`);
      await Deno.rename(`${directory}/bootstrap.conf`, `${directory}/bird.conf`);
      own = await startBird(directory);
      await Deno.rename(`${directory}/kept.conf`, `${directory}/bird.conf`);
      assertEquals(await driver.apply(text), { applied: true });
      await established(driver, "192.0.2.1", "198.51.100.1");
    });

    await t.step("the last peer gone, nothing that it taught stays in the kernel", async () => {
      await until("the route is there", async () => (await kernel("route", "show", "10.77.0.0/16")) !== "");
      await driver.apply(renderBird({ ...NODE, peers: [] }));
      await until("the route is gone", async () => (await kernel("route", "show", "10.77.0.0/16")) === "");
      await until(
        "FRR lost the aggregate",
        async () => !(await vtysh("show bgp ipv4 unicast")).includes("203.0.113.0/26"),
      );
    });
  });
  await unplug("bird");
  await unplug("frr");
});

Deno.test("an IPv6-only node with an id made of its name meets a router that comes late", async () => {
  const bird = await directoryWith("bird.conf", ROUTER_BIRD);
  await plugIn({ netns: "late", node: ["2001:db8:1::a/64"], router: ["2001:db8:1::1/64"] });
  await withNode(async ({ driver, directory, daemons }) => {
    daemons.push(await startBird(directory));
    const routerId = chooseRouterId({ peers: [PEER_SIX.address], addresses: [], nodeName: "node-six" });
    const refusedImports = [prefix("2001:db8:1::/64")];
    const config = { ...NODE, routerId, peers: [PEER_SIX], aggregates: [prefix("2001:db8:f001::/64")], refusedImports };
    assertEquals(await driver.apply(renderBird(config)), { applied: true });
    await until(
      "BIRD has tried in vain",
      async () => (await session(driver, "2001:db8:1::1"))?.lastError !== undefined,
    );
    daemons.push(await startBird(bird, "late"));
    assertLess(await established(driver, "2001:db8:1::1"), 6000);
    await until("the router has the aggregate", () => routerHas(bird, "2001:db8:f001::/64"));
    await until(
      "the node has the router's",
      async () => (await kernel("-6", "route", "show", "2001:db8:77::/48")) !== "",
    );
  });
  await unplug("late");
});
