/** The GC verb as a runtime calls it: a list is believed, its absence is not. */
import { assertEquals, assertMatch } from "@std/assert";
import { STATE_FILE } from "../../src/paths/paths.ts";
import type { LabNode } from "../lab/node.ts";
import { until } from "../lab/until.ts";
import { age } from "./_age.ts";
import { allocationsOf, expectPing, kernelOf, startCluster } from "./_cluster.ts";
import { addSandbox, callPlugin, createSandbox, type PluginAnswer, type Sandbox } from "./_sandbox.ts";

const LONG_LIST = 10_000;
const IP = "/usr/sbin/ip";

/** An ip that never deletes a link: in a batch that line becomes a comment. */
const KEEPING_IP = `#!/bin/sh
case "$*" in
*-batch*) sed -u 's/^link del .*/#/' | /run/ip "$@" ;;
*) exec /run/ip "$@" ;;
esac
`;

Deno.test("GC believes a list, and only with a second source that there is none (T-CNI-22)", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const [kept, stale, dead, stuck] = await Promise.all([1, 2, 3, 4].map(() => addSandbox(node)));
  if (kept === undefined || stale === undefined || dead === undefined || stuck === undefined) return;
  const [hidden, reborn] = [await addHidden(node), await addSandbox(node)];
  await age(node);
  await node.output(["ip", "netns", "delete", dead.id]);
  await node.output(["sh", "-ec", `umount ${hidden.netns}; rm ${hidden.netns}; ip netns delete ${hidden.id}`]);
  await node.output(["sh", "-ec", `ip netns delete ${reborn.id}; ip netns add ${reborn.id}`]);
  await t.step("refuses a call without a list, and does nothing", async () => {
    const { code, msg } = await callPlugin(node, "GC");
    assertEquals(code, 7);
    assertMatch(msg, /cni\.dev\/valid-attachments/);
    assertEquals((await idsOf(node)).length, 6);
  });
  await t.step("a namespace at the path of one that ended gets nothing of what that had", async () => {
    await node.output(["ip", "link", "delete", kept.hostLink]);
    await until("a pod's link is made anew", async () => (await kernelOf(node)).links.includes(kept.hostLink));
    assertEquals(await node.output(["ip", "-n", reborn.id, "-br", "link", "show", "type", "veth"]), "");
    const next = { CNI_CONTAINERID: "next", CNI_NETNS: `/run/netns/${reborn.id}`, CNI_IFNAME: "eth0" };
    for (const verb of ["ADD", "DEL"]) assertEquals((await callPlugin(node, verb, { env: next })).msg, "");
  });
  await t.step("frees for null and for an empty list only what has neither netns nor veth", async () => {
    for (const list of [null, []]) await expectQuiet(await gc(node, list));
    assertEquals(await idsOf(node), [kept, stale, stuck].map(({ id }) => id).sort());
  });
  await t.step("frees nothing for a list that lacks nothing, nor what came after the list", async () => {
    const young = await addSandbox(node);
    await expectQuiet(await gc(node, [kept, stale, stuck].map(named)));
    assertEquals(await idsOf(node), [kept, stale, stuck, young].map(({ id }) => id).sort());
    await young.remove();
  });
  await t.step("frees nothing of another network", async () => {
    await expectQuiet(await gc(node, [named(kept)], { name: "another" }));
    assertEquals((await idsOf(node)).length, 3);
  });
  await t.step("frees the one that a list lacks, however long and odd that is", async () => {
    const odd = [7, null, {}, { containerID: "../x", ifname: "eth0" }];
    const others = Array.from({ length: LONG_LIST }, (_, index) => ({ containerID: `other${index}`, ifname: "eth0" }));
    await expectQuiet(await gc(node, [...odd, ...others, ...[kept, kept, stuck].map(named)]));
    assertEquals(await idsOf(node), [kept, stuck].map(({ id }) => id).sort());
    for (const family of [4, 6] as const) await expectPing(lab.client, kept.address(family));
  });
  await t.step("keeps an ADD that is under way", async () => {
    const held = await createSandbox(node);
    const resume = await holdUpKernel(node);
    const adding = held.call("ADD");
    await until("the ADD is pending", async () => (await statesOf(node)).includes(`${held.id} pending`));
    await expectQuiet(await gc(node, [kept, stuck].map(named)));
    await resume();
    assertEquals((await adding).exit, 0);
    for (const family of [4, 6] as const) await expectPing(lab.client, held.address(family));
    await held.remove();
  });
  await t.step(
    "goes on over what it cannot free, and names that at the end; all was rebuilt from the kernel",
    async () => {
      const loose = await addSandbox(node);
      await age(node, () => node.output(["sh", "-ec", `rm ${STATE_FILE}*`]));
      await age(node, () => replaceIp(node));
      await expectQuiet(await gc(node, [named(kept)], { name: "another" }));
      assertEquals(await idsOf(node), [kept, stuck, loose].map(({ id }) => id).sort());
      await node.output(["ip", "link", "delete", loose.hostLink]);
      const { code, msg } = await gc(node, [named(kept)]);
      assertEquals(code, 111);
      assertMatch(msg, new RegExp(`${stuck.id}: .*the kernel keeps it`));
      const left = [kept, stuck].map(({ id }) => id).sort().join();
      await until("what can be freed is", async () => { // a link that is being made anew at that moment is left for the next time
        await gc(node, [named(kept)]);
        return (await idsOf(node)).join() === left;
      });
      await age(node, () => node.output(["umount", IP]));
      await expectQuiet(await gc(node, [named(kept)]));
      assertEquals([await idsOf(node), (await kernelOf(node)).links], [[kept.id], [kept.hostLink]]);
    },
  );
});

/** A container whose network namespace lies in containerd's state directory. */
async function addHidden(node: LabNode): Promise<{ readonly id: string; readonly netns: string }> {
  const { id, call } = await createSandbox(node);
  const netns = `/run/containerd/netns/${id}`;
  const script = `mkdir -p /run/containerd/netns; touch ${netns}; mount --bind /run/netns/${id} ${netns}`;
  await node.output(["sh", "-ec", script]);
  assertEquals((await call("ADD", { env: { CNI_NETNS: netns } })).msg, "");
  return { id, netns };
}

const named = ({ id }: Sandbox): unknown => ({ containerID: id, ifname: "eth0" });

function gc(node: LabNode, list: unknown, config: Record<string, unknown> = {}): Promise<PluginAnswer> {
  return callPlugin(node, "GC", { config: { "cni.dev/valid-attachments": list, ...config } });
}

function expectQuiet({ exit, stdout }: PluginAnswer): void {
  assertEquals([exit, stdout], [0, ""]);
}

async function idsOf(node: LabNode): Promise<string[]> {
  return (await allocationsOf(node)).map(({ containerId }) => String(containerId)).sort();
}

async function statesOf(node: LabNode): Promise<string[]> {
  return (await allocationsOf(node)).map(({ containerId, state }) => `${containerId} ${state}`);
}

/** Stops the tools that the agent talks to. @returns what lets them go on */
async function holdUpKernel(node: LabNode): Promise<() => Promise<unknown>> {
  const pids = (await node.output(["pgrep", "-x", "ip"])).trim().split("\n");
  await node.output(["kill", "-STOP", ...pids]);
  return () => node.output(["sh", "-c", `kill -CONT ${pids.join(" ")} || true`]); // one that had just ended is no more
}

async function replaceIp(node: LabNode): Promise<void> {
  await node.write("/run/keeping-ip", KEEPING_IP);
  await node.output(["sh", "-c", `cp ${IP} /run/ip && chmod +x /run/keeping-ip && mount --bind /run/keeping-ip ${IP}`]);
}
