/** Sandboxes that vanish without a DEL, DELs that come at the wrong time, and pods that come and go by hundreds. */
import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { STATE_DIR, STATE_FILE } from "../../src/paths/paths.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { record, records } from "../lab/json.ts";
import { until } from "../lab/until.ts";
import { allocationsOf, createPod, expectPing, kernelOf, startCluster } from "./_cluster.ts";
import { callAgent } from "./_agent_call.ts";
import { addSandbox, createSandbox, type Sandbox } from "./_sandbox.ts";
import { editState, expectExactly, redated } from "./_state.ts";

const HOUR_MS = 3_600_000;
const STALL_MS = 5000;
const NOTHING = { links: [], routes: [], grants: [] };
const RECREATIONS = 200;
/** A freed IPv4 address may come back after so many others at the earliest: the node has 61, of which few are in use. */
const LEAST_DISTANCE = 40;
const FULL_HOUSE = 50;

Deno.test("addresses of which no DEL says that they are free, or one at the wrong time", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  await t.step("the state is deleted while 50 pods run: no address is given twice (T-REL-09)", async () => {
    const pods = await Promise.all(Array.from({ length: FULL_HOUSE }, () => addSandbox(node)));
    await node.stopAgent("SIGKILL");
    await node.output(["rm", STATE_FILE, `${STATE_FILE}.prev`]);
    await node.startAgent();
    pods.push(...await Promise.all([1, 2, 3].map(() => addSandbox(node))));
    assertEquals(new Set(pods.flatMap((pod) => pod.addresses)).size, 2 * (FULL_HOUSE + 3));
    await expectExactly(node, pods, "rebuilt");
    await Promise.all(pods.map((pod) => pod.call("DEL")));
  });
  const [halfKnown, podless, linkless] = [
    await addPod(lab, node, "half-known"),
    await addPod(lab, node, "podless"),
    await addSandbox(node),
  ];
  const dead = await Promise.all([addSandbox(node), addSandbox(node), addSandbox(node)]);
  await node.output(["ip", "link", "delete", linkless.hostLink]);
  await loseDels(node, dead);
  await lab.api.delete(podPath("podless"));
  const onlyIpv4 = { podIP: halfKnown.address(4), podIPs: [{ ip: halfKnown.address(4) }] };
  await lab.api.patch(`${podPath("half-known")}/status`, { status: onlyIpv4 });
  await node.startAgent();
  const young = await addSandbox(node);
  await node.output(["ip", "netns", "delete", young.id]);
  const left = idsOnceGone(node, dead); // Takes 15 s: the other steps are done meanwhile.
  await t.step("a StatefulSet's pod is made anew 200 times, each overlapping the next (T-REL-22)", async () => {
    await recreate(lab, node);
  });
  await t.step("an ADD held up for 5 s, its DEL come, leaves nothing; one after that succeeds (T-REL-07)", async () => {
    const late = await createSandbox(node);
    const idsOf = async (): Promise<unknown[]> => (await allocationsOf(node)).map(({ containerId }) => containerId);
    const start = performance.now();
    const resume = await holdUpKernel(node);
    const killed = late.call("ADD", { killAfterMs: 2000 });
    await until("the ADD is under way", async () => (await idsOf()).includes(late.id));
    await killed;
    const deleting = late.call("DEL");
    await new Promise((resolve) => setTimeout(resolve, start + STALL_MS - performance.now()));
    await resume();
    assertEquals((await deleting).exit, 0);
    assert(!(await idsOf()).includes(late.id) && !(await kernelOf(node)).links.includes(late.hostLink));
    await late.add();
    for (const address of late.addresses) await expectPing(lab.client, address);
    await late.remove();
  });
  await t.step(
    "what fails late for a second sandbox of a pod harms the first one not (T-REL-14, T-REL-19)",
    async () => {
      const [first, second] = [await addPod(lab, node, "twice"), await createSandbox(node)];
      const pod = { name: "twice", uid: await uidOf(lab, "twice") };
      await second.output(["ip", "link", "add", "eth0", "type", "bridge"]);
      assertEquals((await second.call("ADD", { pod })).code, 4);
      assertEquals((await first.call("ADD", { pod, env: { CNI_IFNAME: "eth1" } })).exit, 1);
      assertEquals((await second.call("DEL", { pod })).exit, 0);
      for (const address of first.addresses) await expectPing(lab.client, address);
      const before = first.addresses;
      assertEquals((await first.add({ pod })).addresses, before);
      await first.remove();
    },
  );
  await t.step("sandboxes without a DEL are freed after the grace period (T-REL-17, T-REL-20)", async () => {
    const ids = await left;
    for (const { id } of [halfKnown, podless, linkless, young]) assert(ids.includes(id), `${id} was freed`);
    const log = await node.readLog("agent");
    for (const { id } of dead) assertMatch(log, new RegExp(`collecting dead allocation.*${id}`));
  });
  await t.step("a pod whose status lists one family keeps both, one whose Pod is gone goes on (T-REL-12)", async () => {
    for (const address of [halfKnown, podless].flatMap((pod) => pod.addresses)) await expectPing(lab.client, address);
    await Promise.all([halfKnown, podless, linkless, young].map((pod) => pod.call("DEL")));
    assertEquals([await kernelOf(node), await allocationsOf(node)], [NOTHING, []]);
  });
});

/** Three ways to lose a DEL; then the agent is away, and an hour passes. */
async function loseDels(node: LabNode, [never, unwritten, behind]: readonly Sandbox[]): Promise<void> {
  assert(never !== undefined && unwritten !== undefined && behind !== undefined);
  await node.output(["ip", "netns", "delete", never.id]);
  await node.output(["mount", "-o", "remount,ro", STATE_DIR]);
  await unwritten.remove();
  await node.stopAgent("SIGKILL");
  await node.output(["mount", "-o", "remount,rw", STATE_DIR]);
  await node.output(["ip", "netns", "delete", behind.id]);
  await editState(node, (document) => redated(document, -HOUR_MS));
  const links = [never, unwritten, behind].map((pod) => pod.hostLink);
  await until("their links are gone", async () => !(await kernelOf(node)).links.some((link) => links.includes(link)));
}

/** @returns what is recorded when these have just been freed; looks while others work */
function idsOnceGone(node: LabNode, dead: readonly Sandbox[]): Promise<string[]> {
  const look = async (): Promise<string[] | false> => {
    const ids = (await allocationsOf(node)).map(({ containerId }) => String(containerId));
    return !dead.some(({ id }) => ids.includes(id)) && ids;
  };
  const left = until("the dead are freed", look, { timeoutMs: 60_000, everyMs: 100 });
  left.catch(() => {}); // It is awaited later.
  return left;
}

/**
 * A pod of one name again and again: the new sandbox does not wait for the end of the old one. Straight to the agent: the plugin would
 * only pass it on, and take 20 s of processor time for it.
 */
async function recreate(lab: Lab, node: LabNode): Promise<void> {
  const namespaces = [await createSandbox(node), await createSandbox(node)].map(({ id }) => `/run/netns/${id}`);
  const [four, six] = [new Map<string, number>(), new Set<string>()];
  let leave = (): Promise<unknown> => Promise.resolve();
  for (let n = 0; n < RECREATIONS; n++) {
    await lab.api.delete(podPath("web-0"));
    const uid = await createPod(lab, { name: "web-0", annotations: {}, nodeName: node.name });
    const environment = {
      CNI_CONTAINERID: `web-${n}`,
      CNI_NETNS: namespaces[n % 2] ?? "",
      CNI_IFNAME: "eth0",
      CNI_ARGS: `K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=${uid}`,
    };
    const [added] = await Promise.all([callAgent(node, "ADD", environment), leave()]);
    leave = () => callAgent(node, "DEL", environment);
    const [ipv4 = "", ipv6 = ""] = records(added["ips"]).map(({ address }) => String(address));
    assertGreater(n - (four.get(ipv4) ?? -Infinity), LEAST_DISTANCE, `${ipv4} came back too soon`);
    assert(!six.has(ipv6), `${ipv6} came back`);
    four.set(ipv4, n);
    six.add(ipv6);
  }
  await leave();
}

/** Stops the tools that the agent talks to. @returns what lets them go on */
async function holdUpKernel(node: LabNode): Promise<() => Promise<unknown>> {
  const pids = (await node.output(["pgrep", "-x", "ip"])).trim().split("\n");
  await node.output(["kill", "-STOP", ...pids]);
  return () => node.output(["kill", "-CONT", ...pids]);
}

const podPath = (name: string): string => `/api/v1/namespaces/default/pods/${name}`;

async function uidOf(lab: Lab, name: string): Promise<string> {
  return String(record((await lab.api.get(podPath(name)))?.["metadata"])["uid"]);
}

async function addPod(lab: Lab, node: LabNode, name: string): Promise<Sandbox> {
  const uid = await createPod(lab, { name, annotations: {}, nodeName: node.name });
  return await addSandbox(node, { pod: { name, uid } });
}
