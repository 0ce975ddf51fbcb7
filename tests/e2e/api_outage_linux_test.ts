/** A cluster whose API server fails: pods keep working, DELs are served, and what was missed arrives afterwards. */
import { assertEquals, assertLess, assertMatch } from "@std/assert";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { until } from "../lab/until.ts";
import { configPath, expectPing, kernelOf, startCluster, untilLogged } from "./_cluster.ts";
import { addSandbox, createSandbox, type Sandbox } from "./_sandbox.ts";

const OUTAGE_MS = 3000;
/** Of a pod that nobody knows while the server is away. */
const UNKNOWN = { name: "unknown", uid: "2f9a2c5e-7d2b-4f5e-9c58-5a5a4b6a6f10" };

Deno.test("an API server that is away harms no pod, and is found again", async (t) => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  const stays = await addSandbox(node);
  await t.step("refused connections", async () => {
    await lab.api.faults.refuse();
    await untilLogged(node, ["watch interrupted"]);
    await expectService(lab, node, stays);
    await expectUnknown(node, /Cannot read pod default\/unknown/);
    await lab.api.faults.recover();
    await expectEdit(lab, node, 8000);
  });
  await t.step("silence: DEL takes less than a second (T-REL-06), ADD of an unknown pod is bounded", async () => {
    await lab.api.faults.freeze();
    await expectService(lab, node, stays);
    const start = performance.now();
    await expectUnknown(node, /Cannot read pod default\/unknown/);
    assertLess(performance.now() - start, 5000);
    await lab.api.faults.recover();
    await expectEdit(lab, node, 7000);
  });
  await t.step("a forgotten history: 410 Gone", async () => {
    await lab.api.faults.compact();
    await expectEdit(lab, node, 6000);
  });
  await t.step("an agent that starts without it serves DEL, and the rest once it is back", async () => {
    const goes = await addSandbox(node);
    await lab.api.faults.refuse();
    await node.stopAgent("SIGKILL");
    await node.startAgent();
    await goes.remove();
    assertEquals((await kernelOf(node)).links, [stays.hostLink]);
    for (const family of [4, 6] as const) await expectPing(lab.client, stays.address(family));
    const waiting = addSandbox(node);
    await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
    await lab.api.faults.recover();
    await expectPing(lab.client, (await waiting).address(6));
    await expectEdit(lab, node, 5000);
  });
});

/** What needs no API server: packets, DEL, and an ADD for which the runtime names no pod. */
async function expectService(lab: Lab, node: LabNode, stays: Sandbox): Promise<void> {
  const goes = await addSandbox(node);
  for (const family of [4, 6] as const) {
    await expectPing(lab.client, stays.address(family));
    await expectPing(lab.client, goes.address(family));
  }
  const start = performance.now();
  await goes.remove();
  assertLess(performance.now() - start, 1000);
}

/** An ADD whose pod cannot be learnt asks the runtime to try again. */
async function expectUnknown(node: LabNode, message: RegExp): Promise<void> {
  const { code, msg } = await (await createSandbox(node)).call("ADD", { pod: UNKNOWN });
  assertEquals(code, 11);
  assertMatch(msg, message);
}

/** An edit of the NodeConfig arrives: the next pod has the new MTU. */
async function expectEdit(lab: Lab, node: LabNode, mtu: number): Promise<void> {
  await until("the API server is back", () => lab.api.patch(configPath(node), { spec: { mtu } }));
  await until(`pods have MTU ${mtu}`, async () => {
    const pod = await addSandbox(node);
    const link = await pod.output(["ip", "link", "show", "dev", "eth0"]);
    await pod.remove();
    return link.includes(`mtu ${mtu} `);
  }, { timeoutMs: 35_000, everyMs: 200 });
}
