/** When the plugin can be served, and what it does when it cannot. */
import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { AGENT_SOCKET, CNI_CONFIG_DIR, CONFLIST, TOMBSTONE_DIR } from "../../src/paths/paths.ts";
import { record, records } from "../lab/json.ts";
import { createLab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { exists, until } from "../lab/until.ts";
import {
  allocationsOf,
  configOf,
  configPath,
  expectPing,
  kernelOf,
  startCluster,
  untilCondition,
  untilLogged,
} from "./_cluster.ts";
import { addSandbox, callPlugin, createSandbox, PLUGIN, type PluginAnswer } from "./_sandbox.ts";

const STARTS_LATE_MS = 10_000;
/** Events of a change come that late at the most. */
const SETTLE_MS = 200;
/** What is renamed once, to see what that looks like. */
const RENAMED = `${CNI_CONFIG_DIR}/renamed`;
const NOTHING = { links: [], routes: [], grants: [] };

const statusOf = async (node: LabNode): Promise<unknown> => (await callPlugin(node, "STATUS")).code ?? 0;

Deno.test("STATUS and conflist follow a node from its first start to lost sessions (T-CNI-24)", async (t) => {
  await using lab = await createLab({ nodes: 1 });
  const node = lab.node("node-a");
  await node.startAgent();
  await t.step("without a NodeConfig: STATUS 50, DEL served, VERSION answered, no conflist", async () => {
    await untilLogged(node, ["NodeConfig", "Missing"]);
    const status = await callPlugin(node, "STATUS");
    assertEquals([status.exit, status.code], [1, 50]);
    assertMatch(status.msg, /node-a/);
    const { exit, stdout } = await (await createSandbox(node)).call("DEL");
    assertEquals([exit, stdout], [0, ""]);
    assertEquals((await callPlugin(node, "VERSION")).document["supportedVersions"], [
      ...["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"],
    ]);
    assertEquals(await exists(node.outside(CONFLIST)), false);
  });
  await t.step(
    "without a session since boot: STATUS 51, and the conflist is there, by one rename (T-REL-40)",
    async () => {
      const watch = await watchDirectory(node, CNI_CONFIG_DIR);
      await node.output(["sh", "-ec", `: >${RENAMED}.new; mv ${RENAMED}.new ${RENAMED}`]);
      await lab.api.apply(configOf(node));
      await until("STATUS is 51", async () => await statusOf(node) === 51);
      await until("the conflist is there", () => exists(node.outside(CONFLIST)));
      const events = await watch.end();
      assertEquals(events.get(CONFLIST)?.[0], "rename");
      assertEquals(events.get(CONFLIST), events.get(RENAMED));
      assertEquals(JSON.parse(await node.read(CONFLIST))["plugins"][0]["type"], "flock");
    },
  );
  const bird = await node.startBird();
  await t.step("with a session: STATUS ok", async () => {
    await until("STATUS is ok", async () => await statusOf(node) === 0);
  });
  await t.step("a session lost later never fails STATUS, nor does a restart after that", async () => {
    await bird.stop("SIGKILL");
    await untilLogged(node, ["BIRD does not answer"]);
    assertEquals(await statusOf(node), 0);
    await node.stopAgent();
    const status = statusOf(node); // waits for the agent
    await node.startAgent();
    assertEquals(await status, 0);
  });
  const pool = async (cidr4: string): Promise<void> => {
    const { metadata } = await lab.api.patch(configPath(node), { spec: { cidr4: [cidr4] } });
    await untilCondition(lab, node, { reason: "Accepted", generation: Number(record(metadata)["generation"]) });
  };
  await pool("203.0.113.60/30");
  const only = await until("the pool's only address is given out", async () => {
    const pod = await addSandbox(node);
    if (pod.address(4) === "203.0.113.62") return pod;
    await pod.remove(); // the condition may be there a moment before the pool is in force
    return undefined;
  });
  const next = await createSandbox(node);
  await t.step("a full pool never fails STATUS", async () => {
    assertEquals([(await next.call("ADD")).code, await statusOf(node)], [11, 0]);
  });
  await t.step(
    "the agent of a full node is replaced: the conflist stays, pods can go, and others come (T-REL-37)",
    async () => {
      const { ino } = await Deno.stat(node.outside(CONFLIST));
      await node.stopAgent();
      assertEquals((await Deno.stat(node.outside(CONFLIST))).ino, ino);
      await only.remove();
      await node.startAgent();
      await next.add();
      await next.remove();
      assertEquals((await Deno.stat(node.outside(CONFLIST))).ino, ino);
    },
  );
  await pool(node.spec.cidr4);
  await t.step("a deleted NodeConfig stays in force, and the conflist stays for good", async () => {
    await lab.api.delete(configPath(node));
    await untilLogged(node, ["NodeConfig", "Deleted"]);
    await until("the Node says so", async () => {
      const { conditions } = record((await lab.api.get("/api/v1/nodes/node-a"))?.["status"]);
      return records(conditions).some(({ reason, message }) =>
        reason === "FlockReady" && String(message).includes("was deleted")
      );
    });
    assertEquals(await statusOf(node), 0);
    await (await addSandbox(node)).remove();
    await node.stopAgent();
    assert(await exists(node.outside(CONFLIST)));
    await node.startAgent();
    await until("the remembered NodeConfig is in force", async () => await statusOf(node) === 0);
    await (await addSandbox(node)).remove();
    assert(await exists(node.outside(CONFLIST)));
  });
});

Deno.test("the plugin lives through an agent that is away", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const stays = await addSandbox(node);
  const goes = await addSandbox(node);
  await node.stopAgent("SIGKILL");
  await t.step("DEL leaves a tombstone and succeeds at once, also twice (T-REL-05, T-CNI-17)", async () => {
    const start = performance.now();
    for (let time = 0; time < 2; time++) {
      const { exit, stdout } = await goes.call("DEL");
      assertEquals([exit, stdout], [0, ""]);
    }
    assert(performance.now() - start < 4000, "two DELs without an agent take long");
    const stones = (await node.output(["ls", TOMBSTONE_DIR])).trim().split("\n");
    assertEquals(stones.length, 1);
    assertEquals((await allocationsOf(node)).length, 2);
  });
  await t.step("STATUS says 50, CHECK 11", async () => {
    assertEquals([await statusOf(node), (await checkOf(stays.call)).code], [50, 11]);
  });
  await t.step("ADD waits for an agent that starts ten seconds later (T-REL-45)", async () => {
    const start = performance.now();
    const waiting = addSandbox(node);
    await new Promise((resolve) => setTimeout(resolve, STARTS_LATE_MS));
    await node.startAgent({ wait: false });
    const late = await waiting;
    assertGreater(performance.now() - start, STARTS_LATE_MS);
    for (const family of [4, 6] as const) await expectPing(lab.client, late.address(family));
    await late.remove();
  });
  await t.step("the restarted agent has done what the tombstone says, and freed nothing else", async () => {
    assertEquals((await allocationsOf(node)).map(({ containerId }) => containerId), [stays.id]);
    assertEquals(await node.output(["ls", TOMBSTONE_DIR]), "");
    assertEquals((await kernelOf(node)).links, [stays.hostLink]);
    for (const family of [4, 6] as const) await expectPing(lab.client, stays.address(family));
  });
  await t.step("a second agent refuses to start, and the first goes on (cases-failure 4.2, rule 9)", async () => {
    const { code, stderr } = await node.exec([
      ...[PLUGIN, "agent", "--kubeconfig", "/etc/flock/kubeconfig", "--node", node.name],
    ]);
    assertEquals(code, 1);
    assertMatch(stderr, /Cannot start agent: another one holds "\/run\/flock\/agent\.lock"/);
    assert(await exists(node.outside(AGENT_SOCKET)));
    await stays.remove();
    assertEquals(await kernelOf(node), NOTHING);
  });
});

interface DirectoryWatch {
  /** Ends the watch. @returns path -> the kinds of its events, in order; a rename may be told more than once */
  end(): Promise<ReadonlyMap<string, readonly string[]>>;
}

/**
 * Watches a directory of the node as runtimes do, by inotify; from outside, Deno would watch the machine's of that
 * name.
 */
async function watchDirectory(node: LabNode, directory: string): Promise<DirectoryWatch> {
  const script = `const watcher = Deno.watchFs("${directory}"); console.log("ready");
    for await (const { kind, paths } of watcher) for (const path of paths) console.log(kind, path);`;
  const watch = await node.spawn("watch", [Deno.execPath(), "eval", script]);
  await until("the watch is ready", async () => (await watch.readLog()).includes("ready"));
  return {
    end: async () => {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      await watch.stop("SIGKILL");
      const events = (await watch.readLog()).trim().split("\n").map((line) => line.split(" "));
      const byPath = Map.groupBy(events, ([, path = ""]) => path);
      return new Map(Array.from(byPath, ([path, of]) => [path, of.map(([kind = ""]) => kind)]));
    },
  };
}

/** A CHECK needs the result of the ADD; without an agent nobody looks at it. */
function checkOf(
  call: (verb: "CHECK", options: { config: Record<string, unknown> }) => Promise<PluginAnswer>,
): Promise<PluginAnswer> {
  return call("CHECK", { config: { prevResult: { cniVersion: "1.1.0", interfaces: [], ips: [] } } });
}
