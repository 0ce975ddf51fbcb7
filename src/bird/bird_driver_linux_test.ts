/** The driver on a node of the lab: what FRR, its peer over both families, gets and counts. Two routers at once are `_bird_scenes.ts`. */
import { assert, assertEquals, assertLess, assertMatch, assertNotEquals } from "@std/assert";
import type { BirdConfig } from "../bgp/bird_config.ts";
import { renderBird } from "../bgp/render_bird.ts";
import { prefix } from "../bgp/testdata/cases.ts";
import { type BirdScene, BOOTSTRAP, routerView, setScene } from "./_lab_fixture.ts";
import { until } from "../../tests/lab/until.ts";

const APPLIED = { applied: true } as const;

/** BIRD with the scene's configuration, all sessions up, all aggregates at the router. */
async function setServingScene(): Promise<BirdScene> {
  const scene = await setScene();
  try {
    await scene.startBird(BOOTSTRAP);
    assertEquals(await scene.driver.apply(renderBird(scene.config)), APPLIED);
    await scene.established();
    await Promise.all(scene.config.aggregates.map(({ text }) => scene.lab.router.waitForRoute(text)));
    return scene;
  } catch (error) {
    await scene[Symbol.asyncDispose]();
    throw error;
  }
}

function withHosts(config: BirdConfig, ...hosts: string[]): string {
  return renderBird({ ...config, hostRoutes: hosts.map(prefix) });
}

Deno.test("the bootstrap file gives way to apply(): sessions up, the node's prefixes at the router", async () => {
  await using scene = await setServingScene();
  const sessions = await scene.driver.sessions();
  assertEquals(sessions.map(({ peer, state, established }) => [peer.text, state, established]), [
    ["192.0.2.1", "Established", true],
    ["2001:db8:1::1", "Established", true],
  ]);
  for (const { since } of sessions) assertLess(Math.abs(Date.parse(since ?? "") - Date.now()), 60_000);
  const paths = (await scene.lab.router.bgpRoutes(6)).get(scene.node.spec.cidr6);
  assertEquals(paths?.map(({ asPath, nextHops }) => [asPath, nextHops[0]]), [["65101", "2001:db8:1::a"]]);
});

Deno.test("a host route is a delta: one UPDATE, no session is reset, nothing else is sent again", async () => {
  await using scene = await setServingScene();
  const before = { 4: await routerView(scene, 4), 6: await routerView(scene, 6) };
  await scene.driver.apply(withHosts(scene.config, "198.18.0.7/32"));
  await scene.lab.router.waitForRoute("198.18.0.7/32");
  assert(before[4] && before[6]);
  assertEquals(await routerView(scene, 4), { ...before[4], updates: before[4].updates + 1 });
  await scene.driver.apply(renderBird(scene.config));
  await scene.lab.router.waitForNoRoute("198.18.0.7/32");
  assertEquals(await routerView(scene, 4), { ...before[4], updates: before[4].updates + 2 });
  assertEquals(await routerView(scene, 6), before[6]);
});

Deno.test("a changed peer starts anew and leaves the others alone", async () => {
  await using scene = await setServingScene();
  const { config, driver } = scene;
  const peers = config.peers.map((peer) =>
    peer.address.family === 4 ? { address: peer.address, asn: peer.asn, localAsn: peer.localAsn } : peer
  );
  const [four, six] = [await routerView(scene, 4), await routerView(scene, 6)];
  assertEquals(await driver.apply(renderBird({ ...config, peers })), APPLIED);
  await scene.established();
  assertNotEquals((await routerView(scene, 4))?.port, four?.port);
  assertEquals(await driver.apply(renderBird({ ...config, peers: peers.slice(1) })), APPLIED);
  assertEquals((await driver.sessions()).length, 1);
  assertEquals(await routerView(scene, 6), six);
});

Deno.test("BIRD killed and started from the last file serves at once, and apply() configures it again", async () => {
  await using scene = await setScene();
  const text = withHosts(scene.config, "198.18.0.7/32");
  const first = await scene.startBird(BOOTSTRAP);
  await scene.driver.apply(text);
  await scene.lab.router.waitForRoute("198.18.0.7/32");
  await first.stop("SIGKILL");
  const second = await scene.startBird();
  await scene.established();
  const reloads = await scene.reloads();
  assertEquals(await scene.driver.apply(text), APPLIED);
  assertEquals(await scene.reloads(), reloads + 1);
  await second.stop("SIGKILL");
  await scene.startBird(BOOTSTRAP);
  assertEquals(await scene.driver.apply(text), APPLIED);
  await scene.established();
});

Deno.test("of a hundred texts at once the first goes at once, few are loaded, the last wins (T-BGP-04)", async () => {
  await using scene = await setServingScene();
  const { config, driver, pauses } = scene;
  await new Promise((resolve) => setTimeout(resolve, 30));
  const [reloads, paused] = [await scene.reloads(), pauses.length];
  assertEquals(await driver.apply(withHosts(config, "198.18.1.0/32")), APPLIED);
  assertEquals(pauses.length, paused);
  const texts = Array.from({ length: 100 }, (_, i) => withHosts(config, `198.18.2.${i}/32`));
  const outcomes = await Promise.all(texts.map((text) => driver.apply(text)));
  assertEquals(outcomes, texts.map(() => APPLIED));
  const loaded = await scene.reloads() - reloads;
  assert(loaded <= 3, `${loaded} reloads`);
  await scene.lab.router.waitForRoute("198.18.2.99/32");
  const hosts = [...(await scene.lab.router.bgpRoutes(4)).keys()].filter((route) => route.startsWith("198.18."));
  assertEquals(hosts, ["198.18.2.99/32"]);
  for (let event = 0; event < 1000; event++) await driver.apply(withHosts(config, "198.18.2.99/32"));
  assertEquals(await scene.reloads(), reloads + loaded);
});

Deno.test("a node without IPv4 has a session within six seconds of a router that comes late, by the id of its name", async () => {
  await using scene = await setScene([6]);
  const { router } = scene.lab;
  const pid = (await router.output(["cat", "/run/frr/bgpd.pid"])).trim();
  await router.output(["kill", "-KILL", pid]);
  await scene.startBird(BOOTSTRAP);
  assertEquals(await scene.driver.apply(renderBird(scene.config)), APPLIED);
  await until("BIRD was turned away", async () => (await scene.driver.sessions())[0]?.lastError !== undefined);
  const start = performance.now();
  await router.spawn("bgpd", ["/usr/lib/frr/bgpd", "-f", "/etc/frr/bgpd.conf", "-A", "127.0.0.1", "-P", "0"]);
  await scene.established();
  assertLess(performance.now() - start, 6000);
  assertEquals((await routerView(scene, 6))?.routerId, scene.config.routerId.text);
  await router.waitForRoute(scene.node.spec.cidr6);
});

Deno.test("a router that at first refuses the node's AS has a session within six seconds of its change of mind", async () => {
  await using scene = await setScene([6]);
  const configure = (line: string): Promise<string> =>
    scene.lab.router.output(["vtysh", "-c", "configure terminal", "-c", "router bgp 65000", "-c", line]);
  await configure("neighbor N6 remote-as 64999");
  await scene.startBird(BOOTSTRAP);
  await scene.driver.apply(renderBird(scene.config));
  await until("BIRD was refused", async () => (await scene.driver.sessions())[0]?.lastError?.includes("Bad peer AS"));
  const start = performance.now();
  await configure("neighbor N6 remote-as external");
  await scene.established();
  assertLess(performance.now() - start, 6000);
});

Deno.test("the kernel gets the router's prefixes save those connected to the node, and loses them with the peers", async () => {
  await using scene = await setServingScene();
  const learned = async (): Promise<string[]> => {
    const routes = await scene.node.output(["sh", "-c", "ip -4 route show proto bird; ip -6 route show proto bird"]);
    return routes.split("\n").flatMap((line) => /^\S+/.exec(line)?.[0] ?? []);
  };
  const wanted = ["198.51.100.0/24", "2001:db8:c::/64"];
  await until("the kernel has what the router announces", async () => (await learned()).length === wanted.length);
  assertEquals(await learned(), wanted);
  assertEquals(await scene.driver.apply(renderBird({ ...scene.config, peers: [] })), APPLIED);
  await until("the kernel has nothing of BIRD", async () => (await learned()).length === 0);
  await scene.lab.router.waitForNoRoute(scene.node.spec.cidr6);
  assertEquals(await scene.driver.sessions(), []);
});

Deno.test("apply() without BIRD says so, and leaves a file that BIRD starts from", async () => {
  await using scene = await setScene();
  const text = renderBird(scene.config);
  const outcome = await scene.driver.apply(text);
  assert(!outcome.applied && outcome.reason === "unreachable");
  assertMatch(outcome.message, /^Cannot ask BIRD "configure /);
  const refused = await scene.driver.apply("no BIRD takes this\n");
  assert(!refused.applied && refused.reason === "refused");
  assertEquals(await Deno.readTextFile(scene.configPath), text);
  await scene.startBird();
  await scene.established();
});
