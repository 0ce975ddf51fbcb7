/** What becomes of addresses when agent, state file or disk fail. */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { BOOT_ID_FILE, STATE_DIR, STATE_FILE } from "../../src/paths/paths.ts";
import type { LabNode } from "../lab/node.ts";
import { until } from "../lab/until.ts";
import { allocationsOf, expectPing, kernelOf, startCluster } from "./_cluster.ts";
import { addSandbox, callPlugin, createSandbox, type Sandbox } from "./_sandbox.ts";

const PODS = 20;
const KILLS = 5;
/** Over so many milliseconds the ADDs of the burst begin. */
const BURST_MS = 2500;
const ATTEMPTS = 8;
const NOTHING = { links: [], routes: [], grants: [] };

Deno.test("an agent killed in a burst of ADDs neither leaks nor gives an address twice (T-REL-01, T-REL-02)", async () => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const burst = Promise.all(Array.from({ length: PODS }, () => addAsKubelet(node)));
  const moments = await killAtRandom(node);
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

Deno.test("state that is damaged while pods run is rebuilt from the kernel", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const pods = await Promise.all([addSandbox(node), addSandbox(node)]);
  const damages: [title: string, command: string][] = [
    ["empty", `: >${STATE_FILE}`],
    ["NULs", `head -c 4096 /dev/zero >${STATE_FILE}`],
    ["cut in half", `truncate -s 300 ${STATE_FILE}`],
    ["deleted (T-REL-09)", `rm ${STATE_FILE}`],
  ];
  for (const [title, command] of damages) {
    await t.step(`${title}: no address is given twice, no pod is cut off (T-REL-08)`, async () => {
      await node.stopAgent("SIGKILL");
      await node.output(["sh", "-c", command]);
      await node.startAgent();
      pods.push(await addSandbox(node));
      const addresses = pods.flatMap((pod) => pod.addresses);
      assertEquals(new Set(addresses).size, addresses.length);
      await expectExactly(node, pods, title);
      for (const address of addresses) await expectPing(lab.client, address);
    });
  }
  await t.step("DEL knows the rebuilt pods, and what was damaged is kept aside", async () => {
    await Promise.all(pods.map((pod) => pod.remove()));
    assertEquals([await kernelOf(node), await allocationsOf(node)], [NOTHING, []]);
    const kept = await node.output(["sh", "-c", `ls ${STATE_DIR} | grep -c corrupt`]);
    assertEquals(kept.trim(), "3");
  });
});

Deno.test("reboots, full disks and sandboxes that vanish leave no address behind", async (t) => {
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
    "GC frees the sandbox that vanished, and a stranger's DEL frees nothing (T-REL-19, T-REL-20)",
    async () => {
      const [stays, goes] = await Promise.all([addSandbox(node), addSandbox(node)]);
      await node.output(["ip", "netns", "delete", goes.id]);
      const { exit } = await stays.call("DEL", { env: { CNI_CONTAINERID: "never-added" } });
      assertEquals([exit, (await allocationsOf(node)).length], [0, 2]);
      const valid = [{ containerID: stays.id, ifname: "eth0" }];
      const collected = await callPlugin(node, "GC", { config: { "cni.dev/valid-attachments": valid } });
      assertEquals([collected.exit, collected.stdout], [0, ""]);
      await expectExactly(node, [stays], "after GC");
      await expectPing(lab.client, stays.address(6));
      await stays.remove();
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

/** State, links, routes and grants are those of these pods and of nobody else. */
async function expectExactly(node: LabNode, pods: readonly Sandbox[], context: string): Promise<void> {
  const paths = pods.flatMap((pod) => pod.addresses.map((address) => `${address} ${pod.hostLink}`)).sort();
  const links = pods.map((pod) => pod.hostLink).sort();
  assertEquals(await kernelOf(node), { links, routes: paths, grants: paths }, context);
  const recorded = (await allocationsOf(node)).map(({ containerId, state }) => `${containerId} ${state}`).sort();
  assertEquals(recorded, pods.map(({ id }) => `${id} committed`).sort(), context);
}
