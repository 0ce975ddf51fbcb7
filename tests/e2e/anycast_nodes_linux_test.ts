/** Three nodes behind one address: the router shares it between them, and nothing that fails beside the pods costs a request. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { type BgpWire, type Heard, listenToBgp } from "../lab/bgp_wire.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { capture } from "../lab/probes.ts";
import { type RouteWatch, watchRoutes } from "../lab/route_watch.ts";
import { CLIENT, CONTROL_PLANE } from "../lab/topology.ts";
import { askFlows, SERVICE_PORT, startLoad } from "../lab/traffic.ts";
import { pause, until } from "../lab/until.ts";
import { startCluster, untilLogged } from "./_cluster.ts";
import { alone, now, runServicePod, type ServicePod } from "./_service_pod.ts";

const ANYCAST = { 4: "198.18.0.1", 6: "2001:db8:a::1" } as const;
const BOTH = Object.values(ANYCAST);
const PREFIXES = BOTH.map(alone);
const FLOWS = 900;
const FLAPS = 8;
const DROP_INVALID =
  "table inet proxy { chain forward { type filter hook forward priority 0; ct state invalid drop; }; }";
/** Longer than an agent without its API server waits before it goes on with what it remembers. */
const LATE_MS = 8_000;
/** How long a pod answers after SIGTERM; the bench's has three seconds. */
const DRAIN_MS = 1_000;

interface Scene {
  readonly lab: Lab;
  readonly wire: BgpWire;
  readonly routes: RouteWatch;
  /** One on each node. */
  readonly pods: readonly ServicePod[];
}

Deno.test("three nodes share an anycast address", async (t) => {
  await using lab = await startCluster({ nodes: 3, api: "embedded", containerd: false });
  await using wire = await listenToBgp(lab.router, { link: "br0", directory: lab.dir });
  await using routes = await watchRoutes(lab.router);
  const pods = await Promise.all(lab.nodes.map((node) => serve(lab, node, `dns-${node.name}`)));
  const scene = { lab, wire, routes, pods };
  for (const prefix of PREFIXES) await lab.router.waitForPaths(prefix, 3);
  await t.step("each node answers its share of the flows, from the client, both families", async () => {
    for (const address of BOTH) {
      const answers = await askFlows(lab.client, address, FLOWS);
      const shares = Map.groupBy(answers.values(), (name) => name);
      assertEquals(answers.size, FLOWS);
      for (const { name } of pods) assertGreater(shares.get(name)?.length ?? 0, FLOWS / 6, `${name} of ${address}`);
    }
  });
  await t.step(
    "replies by another path than requests, past a kube-proxy's rules too (T-BGP-11)",
    () => detour(scene),
  );
  await t.step(
    "a rolling restart of pods that answer for a while after SIGTERM: no request is lost",
    () => restartAll(lab, pods),
  );
  await t.step(
    "agents killed and started anew: no request is lost, and the router hears nothing",
    () => killAll(scene),
  );
  await t.step(
    "the API server away, over a restart of the agents too, or without its history: what was known last stays (T-BGP-10)",
    () => loseApi(scene),
  );
  await t.step(
    "sessions that flap while pods come and go: the router has what is desired (T-BGP-07)",
    () => flap(scene),
  );
});

async function serve(lab: Lab, node: LabNode, name: string): Promise<ServicePod> {
  const pod = await runServicePod(lab, node, { name, anycast: BOTH });
  await pod.respond(BOTH);
  await pod.setReady(true);
  return pod;
}

/** One after the other: each goes when the router sends to the successor of the one before. @param pods are replaced by these */
async function restartAll(lab: Lab, pods: ServicePod[]): Promise<void> {
  const load = await startLoad(lab.client, ANYCAST[6], { flows: 256 });
  for (const [index, node] of lab.nodes.entries()) {
    await pods[index]?.terminate();
    for (const prefix of PREFIXES) await lab.router.waitForPaths(prefix, pods.length - 1);
    await pause(DRAIN_MS);
    await pods[index]?.remove();
    pods[index] = await serve(lab, node, `again-${node.name}`);
    for (const prefix of PREFIXES) await lab.router.waitForPaths(prefix, pods.length);
  }
  await pause(500);
  const { sent, lost, by } = await load.stop();
  const names = lab.nodes.flatMap(({ name }) => [`again-${name}`, `dns-${name}`]);
  assertEquals([lost, Object.keys(by).sort()], [0, names.sort()], `${sent} sent`);
}

/** What the nodes send to the client goes by the control plane; what they hear of it comes from the router. */
async function detour({ lab, pods }: Scene): Promise<void> {
  await lab.controlPlane.output(["sysctl", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
  const routes = [4, 6] as const;
  const change = (verb: "add" | "del"): Promise<unknown> =>
    Promise.all(
      lab.nodes.flatMap((node) =>
        routes.map((family) =>
          node.output(["ip", `-${family}`, "route", verb, CLIENT[family], "via", CONTROL_PLANE[family]])
        )
      ),
    );
  await change("add");
  await Promise.all(lab.nodes.map((node) => node.output(["nft", DROP_INVALID])));
  for (const family of routes) {
    await using detoured = await capture(lab.controlPlane, `src host ${ANYCAST[family]} and udp`, { link: "up0" });
    const load = await startLoad(lab.client, ANYCAST[family]);
    await pause(500);
    const { lost, by } = await load.stop();
    assertEquals([lost, Object.keys(by).length], [0, pods.length]);
    await detoured.packets(100);
    const connect = ["busybox", "nc", "-w", "2", ANYCAST[family], `${SERVICE_PORT}`];
    const names = await Promise.all(Array.from({ length: 20 }, () => lab.client.output(connect)));
    assert(names.every((name) => pods.some((pod) => pod.name === name)), names.join());
  }
  await change("del");
  await Promise.all(lab.nodes.map((node) => node.output(["nft", "delete", "table", "inet", "proxy"])));
}

async function killAll(scene: Scene): Promise<void> {
  const { lab } = scene;
  const load = await startLoad(lab.client, ANYCAST[6]);
  await expectSilence(scene, async () => {
    for (const node of lab.nodes) {
      const mark = (await node.readLog("agent")).length;
      await node.stopAgent("SIGKILL");
      await pause(300);
      await node.startAgent();
      await untilLogged(node, ["serving"], { after: mark });
    }
    await pause(3_000);
  });
  const { sent, lost, by } = await load.stop();
  assertEquals([lost, Object.keys(by).length], [0, 3], `${sent} sent`);
}

async function loseApi(scene: Scene): Promise<void> {
  const { lab, pods } = scene;
  const [first, second] = pods;
  const node = lab.node("node-a");
  assert(first !== undefined && second !== undefined);
  await second.setReady(false);
  for (const prefix of PREFIXES) await lab.router.waitForPaths(prefix, 2);
  const load = await startLoad(lab.client, ANYCAST[4]);
  await lab.api.faults.refuse();
  await expectSilence(scene, async () => {
    await untilLogged(node, ["watch interrupted"]);
    for (const each of lab.nodes) {
      await each.stopAgent("SIGKILL");
      await each.startAgent();
    }
    await pause(LATE_MS);
  });
  const { lost } = await load.stop();
  assertEquals(lost, 0);
  const at = now();
  await lab.api.faults.recover();
  await expectSilence(scene, async () => {
    await lab.api.faults.compact();
    await pause(2_000);
  });
  await until("the server answers", () => first.setReady(false));
  for (const prefix of PREFIXES) await lab.router.waitForPaths(prefix, 1, { timeoutMs: 30_000 });
  await Promise.all([first, second].map((pod) => pod.setReady(true)));
  for (const prefix of PREFIXES) await lab.router.waitForPaths(prefix, 3, { timeoutMs: 30_000 });
  const third = lab.node("node-c").spec.addresses;
  const fromThird = (await updatesSince(scene, at)).filter(({ from }) => Object.values(third).includes(from));
  assertEquals(fromThird, [], "a node of whose pod there was no news said something");
}

async function flap({ lab, pods }: Scene): Promise<void> {
  const ready = pods.map(() => true);
  for (let round = 0; round < FLAPS; round++) {
    const changed = Math.floor(Math.random() * pods.length);
    ready[changed] = !ready[changed];
    await Promise.all([
      lab.router.vtysh(round % 2 === 0 ? "clear bgp *" : "clear bgp ipv6 *"),
      pods[changed]?.setReady(ready[changed] === true),
    ]);
    const wanted = lab.nodes.filter((_, index) => ready[index]).map(({ spec }) => spec.asn).sort();
    await until(`the router has the address from ${wanted}`, async () => {
      const table = await lab.router.bgpRoutes();
      return PREFIXES.every((prefix) =>
        (table.get(prefix) ?? []).map(({ asPath }) => Number(asPath)).sort().join() === wanted.join()
      );
    }, { timeoutMs: 20_000 });
  }
  await Promise.all(pods.map((pod) => pod.setReady(true)));
  for (const prefix of PREFIXES) await lab.router.waitForPaths(prefix, 3);
}

/** Meanwhile the router hears no UPDATE, opens no session and changes no route of its kernel. */
async function expectSilence(scene: Scene, task: () => Promise<void>): Promise<void> {
  const at = now();
  await task();
  assertEquals(await updatesSince(scene, at), []);
  assertEquals((await scene.routes.events()).filter((event) => event.at > at), []);
}

async function updatesSince({ wire }: Scene, since: number): Promise<Heard[]> {
  return (await wire.heard()).filter(({ at }) => at > since);
}
