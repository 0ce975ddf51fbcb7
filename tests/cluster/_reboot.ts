/** A node is drained, loses its power and comes back. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { record, records } from "../lab/json.ts";
import { ping } from "../lab/probes.ts";
import { until } from "../lab/until.ts";
import type { Cluster } from "./cluster.ts";
import { readyPods } from "./cluster_pod.ts";

/** All allocations are void, and the node serves again by itself. */
export async function expectReboot(cluster: Cluster, name: string): Promise<void> {
  const { kubectl, lab } = cluster;
  await kubectl.run("drain", name, "--ignore-daemonsets", "--force", "--delete-emptydir-data", "--timeout=55s");
  const onNode = async () => (await readyPods(cluster, 2, "-l", "app=web")).find((pod) => pod.node.name === name);
  const before = await onNode();
  const boot = await lab.node(name).read("/run/flock/boot_id");
  await cluster.reboot(name);
  const node = lab.node(name);
  await until("the agent has served in another boot", async () => await node.read("/run/flock/boot_id") !== boot, {
    timeoutMs: 60_000,
  });
  await until(
    "the pod's container was started again",
    async () => Number(restartsOf(await kubectl.get("pod", before?.name ?? ""))) > 0,
    { timeoutMs: 60_000, everyMs: 200 },
  );
  const after = await onNode();
  assert(before !== undefined && after !== undefined);
  for (const family of [4, 6] as const) {
    assertNotEquals(after.address(family), before.address(family), "an address that was in use rests");
    await lab.router.waitForRoute(family === 4 ? node.spec.cidr4 : node.spec.cidr6);
    assert(await ping(lab.client, after.address(family)) !== undefined);
  }
  await kubectl.run("uncordon", name);
  await kubectl.run("wait", "--for=condition=Ready", "node", name, "--timeout=60s");
  const started = (await node.output(["ps", "-eo", "args"])).split("\n").filter((line) => line.startsWith("bird -f"));
  assertEquals(started.map((line) => line.replace(/.* -s \S+ /, "")), ["-c /run/bird/start.conf"]);
  const { allocations } = JSON.parse(await node.read("/var/lib/flock/allocations.json"));
  const host = await node.output(["ip", "-o", "link", "show", "type", "veth"]);
  assertEquals(records(allocations).length, host.split("\n").filter((line) => line.includes(": flock")).length);
}

function restartsOf({ status }: Record<string, unknown>): unknown {
  return record(records(record(status)["containerStatuses"])[0])["restartCount"];
}
