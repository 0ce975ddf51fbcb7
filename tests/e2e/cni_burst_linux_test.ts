/** A node that starts with all of its pods, and one that loses them all: 110 calls at once. */
import { assertEquals, assertLess } from "@std/assert";
import { AGENT_SOCKET, TOMBSTONE_DIR } from "../../src/paths/paths.ts";
import { tombstoneFileName } from "../../src/rpc/tombstone.ts";
import type { LabNode } from "../lab/node.ts";
import { allocationsOf, kernelOf, startCluster } from "./_cluster.ts";
import { callPlugin, PLUGIN } from "./_sandbox.ts";
import { addressesIn, storm, type StormAnswer } from "./_storm.ts";

/** What kubelet runs on a node by default. */
const PODS = 110;
const CIDR4 = ["203.0.113.0/26", "203.0.113.64/26", "203.0.113.128/26"];
/** Of all calls of a burst on two loaded cores. Kubelet gives a sandbox 240 s. */
const BUDGET_MS = 40_000;
/** For all plugins of a burst, if all live at once: 2 GiB. */
const MEMORY_KIB = 2 << 20;
const SAMPLES = 15;
const SAMPLE_MS = 50;

Deno.test("110 pods come at once, and go at once (T-CNI-33)", async (t) => {
  await using lab = await startCluster({ nodes: 1, containerd: false, spec: { cidr4: CIDR4 } });
  const node = lab.node("node-a");
  const ids = Array.from({ length: PODS }, (_, index) => `burst${index}`);
  await node.output(["sh", "-c", 'for id in "$@"; do ip netns add $id; done', "sh", ...ids]);
  const results = new Map<string, unknown>();
  await t.step("every ADD succeeds in time, each with addresses of its own", async () => {
    const answers = await storm(node, "ADD", ids.map((id) => ({ id })));
    expectAll(answers);
    assertEquals(new Set(answers.flatMap(addressesIn)).size, 2 * PODS);
    assertEquals((await allocationsOf(node)).length, PODS);
    for (const { id, stdout } of answers) results.set(id, JSON.parse(stdout));
  });
  await t.step("every CHECK right after agrees (T-CNI-19)", async () => {
    const answers = await storm(node, "CHECK", ids.map((id) => ({ id, config: { prevResult: results.get(id) } })));
    expectAll(answers);
    assertEquals(answers.filter(({ stdout }) => stdout !== ""), []);
  });
  await node.stopAgent();
  const agent = await node.startAgent();
  await agent.freeze();
  await t.step("so many plugins fit beside pods, and a node's memory", async () => {
    assertLess(PODS * await ownMemoryOf(node, "burst0"), MEMORY_KIB);
  });
  await t.step(
    "an agent that hangs and takes no more calls is none: DEL and GC wait 10 s, STATUS its patience",
    async () => {
      const waiting = await fillBacklog(node.outside(AGENT_SOCKET));
      const started = performance.now();
      const env = { CNI_CONTAINERID: "burst0", CNI_IFNAME: "eth0" };
      const status = callPlugin(node, "STATUS");
      const [del, gc] = await Promise.all([
        callPlugin(node, "DEL", { env }),
        callPlugin(node, "GC", { config: { "cni.dev/valid-attachments": null } }),
      ]);
      assertEquals([gc.code, del.exit, del.stdout], [11, 0, ""]);
      assertLess(performance.now() - started, 10_000);
      assertEquals((await status).code, 50);
      assertLess(performance.now() - started, 30_000); // after which kubelet takes the runtime for dead
      const notes = (await node.output(["ls", TOMBSTONE_DIR])).trim();
      assertEquals(notes, tombstoneFileName("burst0", "eth0"));
      for (const connection of waiting) connection.close();
    },
  );
  agent.signal("SIGCONT");
  await t.step("every DEL succeeds in time, and nothing is left", async () => {
    expectAll(await storm(node, "DEL", ids.map((id) => ({ id }))));
    assertEquals(await kernelOf(node), { links: [], routes: [], grants: [] });
    assertEquals(await allocationsOf(node), []);
  });
});

function expectAll(answers: readonly StormAnswer[]): void {
  assertEquals(answers.filter(({ exit }) => exit !== 0), []);
  assertLess(Math.max(...answers.map(({ ms }) => ms)), BUDGET_MS);
}

/** Connects until nobody more can wait for the listener. */
async function fillBacklog(path: string): Promise<Deno.UnixConn[]> {
  const connections: Deno.UnixConn[] = [];
  try {
    for (;;) connections.push(await Deno.connect({ transport: "unix", path }));
  } catch (error) {
    if (!(error instanceof Deno.errors.WouldBlock)) throw error;
    return connections;
  }
}

/**
 * @returns the most memory that one plugin has to itself while it waits for an agent that hangs, in KiB; files that it
 * maps are shared
 */
async function ownMemoryOf(node: LabNode, id: string): Promise<number> {
  const env = {
    ...{ CNI_COMMAND: "ADD", CNI_PATH: "/opt/cni/bin", CNI_IFNAME: "eth0" },
    ...{ CNI_CONTAINERID: id, CNI_NETNS: `/run/netns/${id}` },
  };
  const plugin = await node.spawn("plugin", ["sh", "-c", `exec ${PLUGIN} </run/storm/${id}.conf`], { env });
  let most = 0;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const status = await Deno.readTextFile(`/proc/${plugin.pid}/status`);
    most = Math.max(most, Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]));
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  }
  await plugin.stop("SIGKILL");
  return most;
}
