/** What becomes of addresses when agent, state file or disk fail. */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { BOOT_ID_FILE, LAST_NODE_CONFIG, STATE_DIR } from "../../src/paths/paths.ts";
import type { LabNode } from "../lab/node.ts";
import { until } from "../lab/until.ts";
import { allocationsOf, configOf, configPath, expectPing, kernelOf, startCluster, untilEvent } from "./_cluster.ts";
import { addSandbox, callPlugin, createSandbox, type Sandbox } from "./_sandbox.ts";
import { expectExactly } from "./_state.ts";

const PODS = 20;
const KILLS = 5;
/** Over so many milliseconds the ADDs of the burst begin. */
const BURST_MS = 2500;
const ATTEMPTS = 8;
const NOTHING = { links: [], routes: [], grants: [] };

Deno.test("an agent killed in a burst of ADDs, its API server frozen, neither leaks nor gives an address twice (T-REL-01, T-REL-02)", async () => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const burst = Promise.all(Array.from({ length: PODS }, () => addAsKubelet(node)));
  await lab.api.faults.freeze();
  const moments = await killAtRandom(node);
  await lab.api.faults.recover();
  const pods = await burst;
  const context = `killed after ${moments.join(", ")} ms`;
  const addresses = pods.flatMap((pod) => pod.addresses);
  assertEquals(addresses.length, 2 * PODS, context);
  assertEquals(new Set(addresses).size, 2 * PODS, context);
  await expectExactly(node, pods, context);
  await Promise.all(pods.flatMap((pod) => pod.addresses).map((address) => expectPing(lab.client, address)));
  await Promise.all(pods.map((pod) => pod.remove()));
  assertEquals([await kernelOf(node), await allocationsOf(node)], [NOTHING, []], context);
});

Deno.test("reboots, full disks and a CIDR that two nodes want leave no address behind", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  await t.step("another boot voids every allocation, and its addresses rest (T-REL-16)", async () => {
    const before = await Promise.all([addSandbox(node), addSandbox(node)]);
    await node.stopAgent();
    // No veth outlives a reboot; one that is there would speak against the boot id.
    await node.output(["sh", "-c", "for l in $(ip -br link | grep -o '^flock[0-9a-f]*'); do ip link del $l; done"]);
    await node.write(BOOT_ID_FILE, `${crypto.randomUUID()}\n`);
    await node.startAgent();
    // A real boot has taken the table away; here the agent replaces it once it knows the NodeConfigs.
    await until("no grant is left", async () => (await kernelOf(node)).grants.length === 0);
    assertEquals(await kernelOf(node), NOTHING);
    const after = await addSandbox(node);
    await expectExactly(node, [after], "after the boot");
    for (const pod of before) assert(!pod.addresses.includes(after.address(4)));
    await expectPing(lab.client, after.address(6));
    await node.stopAgent("SIGKILL");
    await node.output(["rm", BOOT_ID_FILE]);
    await node.startAgent();
    await expectPing(lab.client, after.address(6));
    await expectExactly(node, [after], "with its boot id lost");
    await Promise.all([...before, after].map((pod) => pod.remove()));
  });
  await t.step("a full disk fails ADDs and nothing else, until there is room again (T-REL-15)", async () => {
    const [stays, goes] = await Promise.all([addSandbox(node), addSandbox(node)]);
    await node.output(["mount", "-o", "remount,size=64k", STATE_DIR]);
    await node.exec(["dd", "if=/dev/zero", `of=${STATE_DIR}/filler`, "bs=4k"]);
    const refused = await (await createSandbox(node)).call("ADD");
    assertEquals(refused.code, 5);
    assertMatch(refused.msg, /Cannot write state file "\/var\/lib\/flock\/allocations\.json".*(space|ENOSPC)/i);
    await goes.remove();
    assertEquals((await kernelOf(node)).links, [stays.hostLink]);
    await expectPing(lab.client, stays.address(4));
    assertEquals((await allocationsOf(node)).map(({ containerId }) => containerId), [stays.id]);
    await node.output(["rm", `${STATE_DIR}/filler`]);
    const next = await addSandbox(node);
    assertNotEquals(next.address(4), goes.address(4));
    await expectExactly(node, [stays, next], "after the disk was full");
    await Promise.all([stays.remove(), next.remove()]);
  });
  await t.step(
    "a node that wants another node's CIDR serves nobody until one of them gives way (T-REL-23)",
    async () => {
      await node.stopAgent();
      await node.output(["rm", LAST_NODE_CONFIG]);
      await lab.api.delete(configPath(node));
      const [own, others] = [configOf(node), configOf(node, { cidr4: ["203.0.113.32/27"], cidr6: [] })];
      // Of two of the same second the one whose name sorts first is the older.
      await lab.api.apply({ ...others, metadata: { name: "a-first" } });
      await lab.api.apply(own);
      await node.startAgent();
      const says = "must not overlap 203.0.113.32/27 of NodeConfig a-first";
      await untilEvent(lab, node.name, { reason: "InvalidNodeConfig", includes: says });
      assertEquals((await callPlugin(node, "STATUS")).code, 50);
      const refused = await createSandbox(node);
      await refused.call("ADD", { killAfterMs: 1000 });
      assertEquals([await kernelOf(node), await allocationsOf(node)], [NOTHING, []]);
      await refused.remove();
      await lab.api.delete("/apis/flock.fritzlab.net/v1alpha1/nodeconfigs/a-first");
      await (await addSandbox(node)).remove();
    },
  );
});

/** What fails is deleted, and tried again in a new sandbox. */
async function addAsKubelet(node: LabNode): Promise<Sandbox> {
  const failures: string[] = [];
  await pause(0, BURST_MS);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const sandbox = await createSandbox(node);
    const { exit, msg } = await sandbox.call("ADD");
    if (exit === 0) return sandbox;
    failures.push(msg);
    await sandbox.remove();
  }
  throw new Error(`Cannot start a pod in ${ATTEMPTS} attempts: ${failures.join("; ")}`);
}

/** Kills the agent again and again, and starts it anew each time. @returns the pauses, in milliseconds */
async function killAtRandom(node: LabNode): Promise<number[]> {
  const pauses: number[] = [];
  while (pauses.length < KILLS) {
    pauses.push(await pause(50, 250));
    await node.stopAgent("SIGKILL");
    await node.startAgent();
  }
  return pauses;
}

/** @returns how long it was, at random between the two, in milliseconds */
async function pause(least: number, most: number): Promise<number> {
  const ms = Math.round(least + Math.random() * (most - least));
  await new Promise((resolve) => setTimeout(resolve, ms));
  return ms;
}
