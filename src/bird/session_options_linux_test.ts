/** Each option of a session against FRR, which is told the same; the IPv6 session stays up meanwhile. */
import { assert, assertEquals, assertLess } from "@std/assert";
import type { BirdPeer } from "../bgp/bird_config.ts";
import { renderBird } from "../bgp/render_bird.ts";
import { ip, prefix } from "../bgp/testdata/cases.ts";
import type { SessionOptions } from "../nodeconfig/node_config.ts";
import { record, records } from "../../tests/lab/json.ts";
import { CLIENT_GATEWAY } from "../../tests/lab/topology.ts";
import { watchRoutes } from "../../tests/lab/route_watch.ts";
import { exists, until } from "../../tests/lab/until.ts";
import { type BirdScene, BOOTSTRAP, routerView, setScene } from "./_lab_fixture.ts";

const NODE4 = "192.0.2.10";
const NODE6 = "2001:db8:1::a";
const BFD = { receiveInterval: 100, transmitInterval: 100, multiplier: 3 };

/** Lines of FRR's configuration, below its `router bgp`. */
async function configureRouter({ lab }: BirdScene, ...lines: string[]): Promise<void> {
  const commands = ["configure terminal", "router bgp 65000", ...lines].flatMap((line) => ["-c", line]);
  await lab.router.output(["vtysh", ...commands]);
}

function activated(address: string, family: 4 | 6): string[] {
  const lines = [`address-family ipv${family} unicast`, `neighbor ${address} activate`, "exit-address-family"];
  return [`neighbor ${address} remote-as external`, ...lines];
}

/** What FRR says of its neighbour. */
async function neighbor({ lab }: BirdScene, address: string): Promise<Record<string, unknown>> {
  return record(record(JSON.parse(await lab.router.vtysh(`show bgp neighbors ${address} json`)))[address]);
}

function peerOf({ config }: BirdScene, family: 4 | 6): BirdPeer {
  const peer = config.peers.find(({ address }) => address.family === family);
  assert(peer);
  return peer;
}

/** Lets BIRD have the IPv4 peer with these options beside the other one, and waits for both sessions. */
async function applyOptions(scene: BirdScene, options: SessionOptions & Partial<BirdPeer>): Promise<void> {
  const peers = [{ ...peerOf(scene, 4), ...options }, peerOf(scene, 6)];
  assertEquals(await scene.driver.apply(renderBird({ ...scene.config, peers })), { applied: true });
  await scene.established();
}

/** How many segments the router's kernel has dropped because of their signature. */
async function refusedSegments({ lab }: BirdScene): Promise<number> {
  const lines = (await lab.router.output(["cat", "/proc/net/netstat"])).split("\n").filter((line) =>
    line.startsWith("TcpExt:")
  );
  const [names = [], values = []] = lines.map((line) => line.split(" "));
  return ["TCPMD5NotFound", "TCPMD5Unexpected", "TCPMD5Failure"]
    .reduce((sum, name) => sum + Number(values[names.indexOf(name)] ?? 0), 0);
}

async function bfdStatus({ lab }: BirdScene): Promise<unknown> {
  const peers = records(JSON.parse(await lab.router.vtysh("show bfd peers json")));
  return peers.find(({ peer }) => peer === NODE4)?.["status"];
}

async function learned({ node }: BirdScene, family: 4 | 6): Promise<string[]> {
  const routes = await node.output(["ip", `-${family}`, "route", "show", "proto", "bird"]);
  return routes.split("\n").filter((line) => line !== "");
}

Deno.test("options of one session, each with an FRR that is told the same", async (t) => {
  await using scene = await setScene();
  const { lab, node, driver, config } = scene;
  let bird = await scene.startBird(BOOTSTRAP);
  await configureRouter(scene, ...activated(NODE4, 4), ...activated(NODE6, 6));
  await applyOptions(scene, {});
  const other = (await routerView(scene, 6))?.port;

  await t.step("holdTime is what FRR agrees to", async () => {
    await applyOptions(scene, { holdTime: 9 });
    await until("FRR has the hold time", async () => (await neighbor(scene, NODE4))["bgpTimerHoldTimeMsecs"] === 9000);
  });

  await t.step("gracefulRestart: false is not announced, true is", async () => {
    const mode = async (): Promise<unknown> =>
      record((await neighbor(scene, NODE4))["gracefulRestartInfo"])["remoteGrMode"];
    assertEquals(await mode(), "Restart");
    await applyOptions(scene, { gracefulRestart: false });
    await until("FRR expects no restart", async () => await mode() === "Disable");
  });

  await t.step("ttlSecurity gets a session with an FRR that asks for TTL 255", async () => {
    await configureRouter(scene, `neighbor ${NODE4} ttl-security hops 1`);
    await applyOptions(scene, { ttlSecurity: true });
    await lab.router.waitForRoute(node.spec.cidr4);
    await configureRouter(scene, `no neighbor ${NODE4} ttl-security hops 1`);
  });

  await t.step("password: a session with an FRR that knows it, and none with one that knows another", async () => {
    const password = "s3cret #'; }";
    await configureRouter(scene, `neighbor ${NODE4} password ${password.replaceAll(" ", "_")}`);
    const peers = [{ ...peerOf(scene, 4), password }, peerOf(scene, 6)];
    assertEquals(await driver.apply(renderBird({ ...config, peers })), { applied: true });
    await until("the kernel has dropped what bears another", async () => await refusedSegments(scene) > 0);
    assertEquals((await driver.sessions()).map(({ established }) => established), [false, true]);
    await applyOptions(scene, { password: password.replaceAll(" ", "_") });
    await configureRouter(scene, `no neighbor ${NODE4} password`);
    await applyOptions(scene, {});
  });

  await t.step("importLimit takes so many routes and keeps the session", async () => {
    const more = ["10.50.0.0/16", "10.51.0.0/16", "10.52.0.0/16"];
    await applyOptions(scene, { importLimit: 2 });
    for (const prefix of more) await lab.router.output(["ip", "route", "add", "blackhole", prefix]);
    await configureRouter(scene, "address-family ipv4 unicast", ...more.map((prefix) => `network ${prefix}`));
    await until("BIRD has ignored two", async () => {
      const { stdout } = await node.exec([
        "birdc",
        "-s",
        `${lab.dir}/bird.ctl`,
        "show",
        "protocols",
        "all",
        "peer4_c0000201",
      ]);
      return /Import limit:\s+2 \[HIT\]/.test(stdout);
    });
    assertEquals((await learned(scene, 4)).length, 2);
    assertEquals((await driver.sessions()).map(({ established }) => established), [true, true]);
    await configureRouter(scene, "address-family ipv4 unicast", ...more.map((prefix) => `no network ${prefix}`));
  });

  await t.step("multihop: a router on another subnet is told, and nothing is taken of it", async () => {
    const far = CLIENT_GATEWAY[4];
    await configureRouter(scene, `neighbor ${NODE4} ebgp-multihop 2`, `neighbor ${NODE4} update-source ${far}`);
    await applyOptions(scene, { address: ip(far), multihop: 2 });
    await lab.router.waitForRoute(node.spec.cidr4);
    assertEquals(await learned(scene, 4), []);
    await configureRouter(scene, `no neighbor ${NODE4} ebgp-multihop`, `no neighbor ${NODE4} update-source`);
    await applyOptions(scene, {});
  });

  await t.step("communities, MED and prepended AS numbers reach FRR with the routes that they are for", async () => {
    const attributes = {
      aggregates: { communities: [[65000, 1]], largeCommunities: [[4200000000, 1, 2]] },
      anycast: { communities: [[65000, 2], [65000, 3]], largeCommunities: [], med: 50, prepend: 2 },
    };
    const [anycastRoutes, hostRoutes] = [[prefix("198.18.0.53/32")], [prefix("198.18.0.9/32")]];
    const ports = [await routerView(scene, 4), await routerView(scene, 6)].map((view) => view?.port);
    await driver.apply(renderBird({ ...config, attributes, anycastRoutes, hostRoutes }));
    const told = async (route: string): Promise<unknown[]> => {
      const { paths } = record(JSON.parse(await lab.router.vtysh(`show bgp ipv4 unicast ${route} json`)));
      return records(paths).map(({ community, largeCommunity, metric, aspath }) =>
        [community, largeCommunity].map((value) => record(value)["string"]).concat([metric, record(aspath)["string"]])
      );
    };
    const wanted = {
      [node.spec.cidr4]: [["65000:1", "4200000000:1:2", undefined, "65101"]],
      "198.18.0.53/32": [["65000:2 65000:3", undefined, 50, "65101 65101 65101"]],
      "198.18.0.9/32": [[undefined, undefined, undefined, "65101"]],
    };
    for (const [route, attributes] of Object.entries(wanted)) {
      let found: unknown[] = [];
      await until(
        `FRR has ${route} as told`,
        async () => JSON.stringify(found = await told(route)) === JSON.stringify(attributes),
      )
        .catch(() => assertEquals(found, attributes));
    }
    assertEquals([await routerView(scene, 4), await routerView(scene, 6)].map((view) => view?.port), ports);
    await applyOptions(scene, {});
  });

  await t.step("the IPv6 session has stayed up all the time", async () => {
    assertEquals((await routerView(scene, 6))?.port, other);
  });

  await t.step("extendedNextHop: IPv4 both ways over the IPv6 session, with IPv6 next hops", async () => {
    const capability = `neighbor ${NODE6} capability extended-nexthop`;
    await configureRouter(scene, capability, ...activated(NODE6, 4).slice(1));
    const peers = [{ ...peerOf(scene, 6), extendedNextHop: true as const }];
    assertEquals(await driver.apply(renderBird({ ...config, peers })), { applied: true });
    await until("the router's route has an IPv6 next hop", async () => {
      const routes = await lab.router.output(["ip", "-j", "route", "show", "exact", node.spec.cidr4]);
      return records(JSON.parse(routes)).some(({ via }) => record(via)["family"] === "inet6");
    });
    await until(
      "the node has the router's",
      async () => (await learned(scene, 4)).some((line) => line.includes(" via inet6 ")),
    );
  });

  await t.step("bfd: a restart of BIRD that is graceful loses FRR no route, though BFD is down meanwhile", async () => {
    await lab.router.spawn("bfdd", ["/usr/lib/frr/bfdd", "-A", "127.0.0.1", "-P", "0"]);
    await until("bfdd has its socket", () => exists(lab.router.outside("/run/frr/bfdd.vty")));
    const lines = ["bfd", "bfd 3 100 100"];
    await configureRouter(scene, ...lines.map((line) => `neighbor ${NODE4} ${line}`));
    await applyOptions(scene, { bfd: BFD });
    await until("BFD is up", async () => await bfdStatus(scene) === "up");
    await lab.router.waitForRoute(node.spec.cidr4);
    await using routes = await watchRoutes(lab.router);
    await node.output(["birdc", "-s", `${lab.dir}/bird.ctl`, "graceful", "restart"]);
    await bird.ended;
    await until("BFD is down", async () => await bfdStatus(scene) === "down");
    bird = await scene.startBird(undefined, ["-R"]);
    await scene.established();
    await until("BFD is up again", async () => await bfdStatus(scene) === "up");
    const lost = (await routes.events()).filter(({ prefix, deleted }) => prefix === node.spec.cidr4 && deleted);
    assertEquals(lost, []);
  });

  await t.step("bfd: a link that is cut is known in three intervals, not after the hold time", async () => {
    await lab.router.waitForRoute(node.spec.cidr4);
    await using routes = await watchRoutes(lab.router);
    const cut = Date.now();
    await node.output(["ip", "link", "set", "up0", "down"]);
    await lab.router.waitForNoRoute(node.spec.cidr4);
    const gone = (await routes.events()).find(({ prefix, deleted }) => prefix === node.spec.cidr4 && deleted);
    assertLess((gone?.at ?? Infinity) - cut, 3000, "the hold time is 90 s");
  });
});
