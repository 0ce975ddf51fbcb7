/** One node: an anycast address is in BGP exactly while a pod serves it, and whoever is sent there is answered. */
import { assert, assertEquals, assertLess } from "@std/assert";
import type { Family } from "../../src/ip/address.ts";
import { type BgpWire, listenToBgp } from "../lab/bgp_wire.ts";
import { records } from "../lab/json.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { askFlows, startLoad } from "../lab/traffic.ts";
import { pause, until } from "../lab/until.ts";
import { expectPing, startCluster } from "./_cluster.ts";
import { alone, anycastStatus, boundOn, now, runServicePod, type ServicePod } from "./_service_pod.ts";

const FAMILIES = [4, 6] as const;
const ANYCAST = { 4: "198.18.0.1", 6: "2001:db8:a::1" } as const;
const BOTH = Object.values(ANYCAST);
const PREFIXES = BOTH.map(alone);
/** How soon a withdrawal must be on the wire (T-BGP-05). */
const WITHDRAWN_MS = 1_000;
/** For so long after it the kernel still leads to the pod (spec section 8 says 1000). */
const DRAIN_MS = 800;
const FLOWS = 1_000;
/** Longer than the agent's tick. */
const QUIET_MS = 2_500;

interface Scene {
  readonly lab: Lab;
  readonly node: LabNode;
  readonly wire: BgpWire;
}

Deno.test("an anycast address is in BGP exactly while its pod is Ready", async (t) => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  await using wire = await listenToBgp(lab.router, { link: "br0", directory: lab.dir });
  const scene = { lab, node, wire };
  const pod = await runServicePod(lab, node, { name: "dns-0", anycast: BOTH });
  await t.step("bound on lo at once, but no part of the result, which is IPv4 and then IPv6 (T-CNI-32)", async () => {
    assertEquals(await boundOn("lo", pod.sandbox), BOTH.toSorted());
    assertEquals(pod.sandbox.addresses.map((address) => address.includes(":")), [false, true]);
    assertEquals(await boundOn("eth0", pod.sandbox), pod.sandbox.addresses.toSorted());
    const { document } = await pod.sandbox.call("ADD", { pod });
    assertEquals(records(document["ips"]).map(({ address }) => address), [
      `${pod.sandbox.address(4)}/32`,
      `${pod.sandbox.address(6)}/128`,
    ]);
    assertEquals((await pod.sandbox.call("CHECK", { pod, config: { prevResult: document } })).msg, "");
  });
  await t.step("a pod that is not Ready is nobody's; the status says why", async () => {
    await pause(QUIET_MS);
    assertEquals(await heardOf(scene, now() - 60_000), []);
    for (const address of BOTH) {
      const status = await until("the status has it", () => anycastStatus(lab, node, address));
      assertEquals(status, { advertised: false, pods: [], waiting: ["default/dns-0 notReady"] });
    }
  });
  await pod.respond(BOTH);
  for (const family of FAMILIES) {
    await t.step(
      `IPv${family}: what reaches the node once the route is on the wire is answered (T-BGP-08)`,
      () => expectAnswersFromTheFirst(scene, pod, family),
    );
  }
  await t.step("Ready: announced for both families, and answered", async () => {
    await pod.setReady(true);
    for (const prefix of PREFIXES) await lab.router.waitForRoute(prefix);
    for (const address of BOTH) await expectPing(lab.client, address);
    for (const address of BOTH) {
      await until("the status has its pod", async () => {
        const status = await anycastStatus(lab, node, address);
        return status?.advertised && status.pods.join() === "default/dns-0" && status.waiting.length === 0;
      });
    }
  });
  await t.step("not Ready: withdrawn at once, nothing else is said", async () => {
    const at = await pod.setReady(false);
    for (const prefix of PREFIXES) {
      const gone = await wire.first("the withdrawal", (it) => it.at > at && it.withdrawn.includes(prefix));
      assertLess(gone.at - at, WITHDRAWN_MS);
    }
    await pause(QUIET_MS);
    assertEquals((await heardOf(scene, at)).toSorted(), PREFIXES.map((prefix) => `- ${prefix}`).toSorted());
    await until("the status says why", async () => {
      const status = await anycastStatus(lab, node, BOTH[0] ?? "");
      return status?.advertised === false && status.waiting.join() === "default/dns-0 notReady";
    });
  });
  await t.step("a DEL takes it away, Ready or not", async () => {
    await pod.setReady(true);
    for (const prefix of PREFIXES) await lab.router.waitForRoute(prefix);
    await pod.remove();
    for (const prefix of PREFIXES) await lab.router.waitForNoRoute(prefix);
    await until("the status forgets it", async () => await anycastStatus(lab, node, BOTH[0] ?? "") === undefined);
    assertEquals(await routesTo(node), []);
  });
});

Deno.test("a pod is deleted", async (t) => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  await using wire = await listenToBgp(lab.router, { link: "br0", directory: lab.dir });
  const scene = { lab, node, wire };
  const [first, second] = [await serve(scene, "dns-0"), await serve(scene, "dns-1")];
  await t.step(
    "one of two that leaves takes no route, no request and no flow of the other with it (T-BGP-06)",
    async () => {
      await until("both serve", async () => (await anycastStatus(lab, node, ANYCAST[6]))?.pods.length === 2);
      const before = await askFlows(lab.client, ANYCAST[6], FLOWS);
      const load = await startLoad(lab.client, ANYCAST[6], { flows: 256 });
      const at = await first.terminate();
      await pause(1_000);
      await first.remove();
      await pause(500);
      const { lost, by } = await load.stop();
      assertEquals([lost, Object.keys(by).sort()], [0, ["dns-0", "dns-1"]]);
      const after = await askFlows(lab.client, ANYCAST[6], FLOWS);
      const shareOfFirst = [...before.values()].filter((name) => name === "dns-0").length / FLOWS;
      assert(Math.abs(shareOfFirst - 0.5) < 0.1, `its share was ${shareOfFirst}`);
      assertEquals([...before].filter(([port, name]) => name === "dns-1" && after.get(port) !== name), []);
      assertEquals([after.size, new Set(after.values()).size], [FLOWS, 1]);
      assertEquals(await heardOf(scene, at), []);
      assertEquals((await anycastStatus(lab, node, ANYCAST[6]))?.pods, ["default/dns-1"]);
    },
  );
  await t.step(
    "the other is withdrawn with its deletionTimestamp, and answers what still comes (T-BGP-05, T-BGP-06)",
    async () => {
      await leadTo(scene, 6);
      const load = await startLoad(lab.client, ANYCAST[6]);
      const at = await second.terminate();
      const gone = await wire.first("the withdrawal", (it) => it.at > at && it.withdrawn.includes(alone(ANYCAST[6])));
      assertLess(gone.at - at, WITHDRAWN_MS);
      await pause(DRAIN_MS);
      const { lostAt } = await load.stop();
      assertEquals(lostAt.filter((sentAt) => sentAt < gone.at + DRAIN_MS), []);
      const { metadata } = await lab.api.get("/api/v1/namespaces/default/pods/dns-1") ?? {};
      assert(metadata !== undefined, "the pod is in its grace period no more");
      for (const family of FAMILIES) await expectPing(lab.client, second.sandbox.address(family));
      await second.remove();
      assertEquals(await routesTo(node), []);
    },
  );
});

async function serve({ lab, node }: Scene, name: string): Promise<ServicePod> {
  const pod = await runServicePod(lab, node, { name, anycast: BOTH, ready: true });
  await pod.respond(BOTH);
  for (const prefix of PREFIXES) await lab.router.waitForRoute(prefix);
  return pod;
}

/** The router sends requests to the node all the time, route or not: whichever is sent when the announcement has passed must be answered. */
async function expectAnswersFromTheFirst(scene: Scene, pod: ServicePod, family: Family): Promise<void> {
  const { lab, wire } = scene;
  await leadTo(scene, family);
  const load = await startLoad(lab.client, ANYCAST[family], { answered: false });
  const at = await pod.setReady(true);
  const wanted = alone(ANYCAST[family]);
  const news = await wire.first("the announcement", (it) => it.at > at && it.announced.includes(wanted));
  await pause(500);
  const { lostAt, answered } = await load.stop();
  assertEquals(lostAt.filter((sentAt) => sentAt > news.at), []);
  assert(answered > 200, `only ${answered} answers`);
  await pod.setReady(false);
  await wire.first("the withdrawal", (it) => it.at > news.at && it.withdrawn.includes(wanted));
  await lab.router.output(["ip", `-${family}`, "route", "del", wanted, "metric", "1"]);
  await pause(1_500); // The kernel's route stays for a second.
}

/** Makes the router send to the node whatever BGP says. */
async function leadTo({ lab, node }: Scene, family: Family): Promise<void> {
  const to = ["via", node.spec.addresses[family] ?? "", "metric", "1"];
  await lab.router.output(["ip", `-${family}`, "route", "add", alone(ANYCAST[family]), ...to]);
}

/** @returns what the node said about the anycast addresses since then: `+ PREFIX`, `- PREFIX` */
async function heardOf({ node, wire }: Scene, since: number): Promise<string[]> {
  const own = Object.values(node.spec.addresses);
  const messages = (await wire.heard()).filter(({ at, from }) => at > since && own.includes(from));
  const said = messages.flatMap(({ announced, withdrawn }) => [
    ...announced.map((prefix) => ({ prefix, sign: "+" })),
    ...withdrawn.map((prefix) => ({ prefix, sign: "-" })),
  ]);
  return said.filter(({ prefix }) => PREFIXES.includes(prefix)).map(({ sign, prefix }) => `${sign} ${prefix}`);
}

/** @returns the kernel's routes to the anycast addresses */
async function routesTo(node: LabNode): Promise<string[]> {
  const lists = FAMILIES.map((family) =>
    node.output(["ip", `-${family}`, "route", "show", "exact", alone(ANYCAST[family])])
  );
  return (await Promise.all(lists)).join("").split("\n").filter((line) => line !== "");
}
