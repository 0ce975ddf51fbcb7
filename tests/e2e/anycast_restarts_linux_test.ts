/** What becomes of anycast addresses when agent, BIRD or sandbox go and come back, and what happened meanwhile. */
import { assertEquals } from "@std/assert";
import { STATE_FILE } from "../../src/paths/paths.ts";
import { listenToBgp } from "../lab/bgp_wire.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { askFlows, startLoad, startResponder } from "../lab/traffic.ts";
import { until } from "../lab/until.ts";
import { expectPing, kernelOf, prefixesOf, startCluster, untilLogged } from "./_cluster.ts";
import { addSandbox } from "./_sandbox.ts";
import { alone, anycastStatus, boundOn, now, runServicePod, type ServicePod } from "./_service_pod.ts";

const READY = ["198.18.0.1", "2001:db8:a::1"];
const FLIPS = ["198.18.0.2", "2001:db8:a::2"];
const GOES = ["198.18.0.3", "2001:db8:a::3"];
const EDITED = ["198.18.0.4", "2001:db8:a::4"];
const BY_EDIT = ["198.18.0.5", "2001:db8:a::5"];
const FLOWS = 200;

Deno.test("what happened to pods while the agent was away is so when it is back", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  await using wire = await listenToBgp(lab.router, { link: "br0", directory: lab.dir });
  const run = (name: string, anycast: readonly string[], ready: boolean): ReturnType<typeof runServicePod> =>
    runServicePod(lab, node, { name, anycast, ready });
  const stays = await run("stays", READY, true);
  const [flips, rises, goes, edited] = [
    await run("flips", FLIPS, true),
    await run("rises", BY_EDIT, false),
    await run("goes", GOES, true),
    await run("edited", EDITED, true),
  ];
  for (const address of [...READY, ...FLIPS, ...GOES, ...EDITED]) await lab.router.waitForRoute(alone(address));
  await stays.respond(READY);
  await t.step("not Ready, Ready, deleted, edited", async () => {
    const load = await startLoad(lab.client, READY[1] ?? "");
    await node.stopAgent("SIGKILL");
    await flips.setReady(false);
    await rises.setReady(true);
    await goes.remove();
    await edited.annotate({ anycast: FLIPS.join() });
    const at = now();
    await node.startAgent();
    for (const address of [...GOES, ...EDITED]) await lab.router.waitForNoRoute(alone(address));
    for (const address of [...FLIPS, ...BY_EDIT]) await lab.router.waitForRoute(alone(address));
    for (const address of [...READY, ...FLIPS, ...BY_EDIT]) await expectPing(lab.client, address);
    const told = (await wire.heard()).filter((it) => it.at > at).flatMap((it) => [...it.announced, ...it.withdrawn]);
    const untouched = [...READY.map(alone), ...prefixesOf(node)];
    assertEquals(told.filter((prefix) => untouched.includes(prefix)), []);
    assertEquals((await load.stop()).lost, 0);
    assertEquals(await boundOn("lo", edited.sandbox), FLIPS);
    await until("the status has it so", async () => {
      const status = await anycastStatus(lab, node, FLIPS[0] ?? "");
      return status?.pods.join() === "default/edited" && status.waiting.join() === "default/flips notReady";
    });
  });
  await t.step("BIRD killed and started again: no request is lost, and the addresses are there again", async () => {
    const load = await startLoad(lab.client, READY[1] ?? "");
    const mark = (await node.readLog("agent")).length;
    await node.output(["sh", "-c", "kill -9 $(cat /run/flock/bird.pid)"]);
    await untilLogged(node, ["BIRD does not answer"], { after: mark });
    await node.startBird({ arguments: ["-R"] });
    await untilLogged(node, ["BGP session", '"Established"'], { after: mark });
    assertEquals((await load.stop()).lost, 0);
    const [wanted] = [[...READY, ...FLIPS, ...BY_EDIT].map(alone)];
    await until("the router has all of them, and fresh", async () => {
      const table = await lab.router.bgpRoutes();
      return wanted.every((prefix) => table.get(prefix)?.length === 1);
    });
    await flips.remove();
  });
  await t.step(
    "all records lost while the API server is away: no request is lost, and routers hear nothing of it",
    async () => {
      for (const pod of [stays, rises, edited]) await tellAddresses(lab, pod);
      const load = await startLoad(lab.client, READY[1] ?? "");
      await lab.api.faults.refuse();
      await node.stopAgent("SIGKILL");
      await node.output(["sh", "-c", `rm ${STATE_FILE} ${STATE_FILE}.prev`]);
      const [at, mark] = [now(), (await node.readLog("agent")).length];
      await node.startAgent();
      await untilLogged(node, ["adopted from the kernel", stays.sandbox.hostLink], { after: mark });
      await addSandbox(node); // once it serves under the NodeConfig that it remembers
      await lab.api.faults.recover();
      for (const [[address = ""], pod] of [[READY, stays], [BY_EDIT, rises], [FLIPS, edited]] as const) {
        await until(`the status says again who serves ${address}`, async () => {
          const status = await anycastStatus(lab, node, address);
          return status?.advertised === true && status.pods.join() === pod.sandbox.id;
        }, { timeoutMs: 60_000 }); // watches of a server that was away come back ever later
      }
      const told = (await wire.heard()).filter((it) => it.at > at).flatMap((it) => [...it.announced, ...it.withdrawn]);
      assertEquals(told, []);
      assertEquals((await load.stop()).lost, 0);
      for (const address of [...READY, ...FLIPS, ...BY_EDIT]) await expectPing(lab.client, address);
      await edited.remove();
      for (const address of FLIPS) await lab.router.waitForNoRoute(alone(address));
    },
  );
});

Deno.test("the sandbox of a pod that stays Ready is made anew, and the address follows", async () => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const pod = await runServicePod(lab, node, { name: "dns-0", anycast: READY, ready: true });
  for (const address of READY) await lab.router.waitForRoute(alone(address));
  const next = await addSandbox(node, { pod });
  await pod.sandbox.remove();
  await startResponder(next, { name: "dns-0", addresses: READY });
  for (const address of READY) {
    await lab.router.waitForRoute(alone(address));
    assertEquals((await askFlows(lab.client, address, FLOWS)).size, FLOWS);
  }
  assertEquals((await kernelOf(node)).links, [next.hostLink]);
});

Deno.test("a client on a node is answered by the node's own pod, and by another node's when that one leaves", async () => {
  await using lab = await startCluster({ nodes: 2, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const start = async (on: LabNode): Promise<ServicePod> => {
    const pod = await runServicePod(lab, on, { name: `dns-${on.name}`, anycast: READY, ready: true });
    await pod.respond(READY);
    return pod;
  };
  // The router tells nodes of one path only, the oldest; a node's own it cannot hear.
  const far = await start(lab.node("node-b"));
  for (const address of READY) await lab.router.waitForRoute(alone(address));
  const near = await start(node);
  for (const address of READY) await lab.router.waitForPaths(alone(address), 2);
  const client = await addSandbox(node);
  for (const address of READY) await untilImported(lab, node, address);
  for (const address of READY) assertEquals(await namesFor(client, address), [near.name]);
  await near.terminate();
  for (const address of READY) await lab.router.waitForPaths(alone(address), 1);
  await until(
    "the node leads to the other one",
    async () => (await namesFor(client, READY[1] ?? "")).join() === far.name,
  );
  for (const address of READY) assertEquals(await namesFor(client, address), [far.name]);
});

/** Says which addresses the pod has, as kubelet does. */
async function tellAddresses({ api }: Lab, { name, sandbox }: ServicePod): Promise<void> {
  const podIPs = ([6, 4] as const).map((family) => ({ ip: sandbox.address(family) }));
  await api.patch(`/api/v1/namespaces/default/pods/${name}/status`, { status: { podIPs } });
}

/** The node has heard of the other node's pod: only its own route's metric keeps its clients from there. */
async function untilImported(lab: Lab, node: LabNode, address: string): Promise<void> {
  const other = lab.nodes.find(({ name }) => name !== node.name);
  await until("BIRD knows the other node's route", async () => {
    const routes = await node.birdc(`show route all for ${alone(address)}`);
    return routes.includes(String(other?.spec.asn));
  });
}

/** @returns who answers the flows, each once */
async function namesFor(client: Parameters<typeof askFlows>[0], address: string): Promise<string[]> {
  return [...new Set((await askFlows(client, address, FLOWS)).values())].sort();
}
