/** Somebody else changes what leads to anycast addresses, and what they lead over. Needs root and `deno task build`. */
import { assertEquals } from "@std/assert";
import type { LabNode } from "../lab/node.ts";
import { until } from "../lab/until.ts";
import { expectPing, startCluster } from "./_cluster.ts";
import { alone, anycastStatus, boundOn, countReloads, runServicePod } from "./_service_pod.ts";

const SHARED = ["198.18.0.1", "2001:db8:a::1"];
const LATEST_MS = 2_000;
const ROUTES = "ip -4 route show proto 70; ip -6 route show proto 70; ip nexthop show protocol 70";

function routesOf(node: LabNode): Promise<string> {
  return node.output(["sh", "-c", `(${ROUTES}) | sort`]);
}

Deno.test("what others change of routes to anycast addresses is back within two seconds, and BIRD reloads nothing", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const pods = [
    await runServicePod(lab, node, { name: "web-0", anycast: SHARED, ready: true }),
    await runServicePod(lab, node, { name: "web-1", anycast: SHARED, ready: true }),
  ];
  for (const address of SHARED) await lab.router.waitForRoute(alone(address));
  await node.output([
    "sh",
    "-ec",
    "ip link add other type veth peer name other1; ip link set other up; ip link set other1 up",
  ]);
  await node.output(["ip", "route", "add", "198.18.9.9", "dev", "other", "proto", "71", "metric", "20"]);
  await node.output(["ip", "nexthop", "add", "id", "77", "dev", "other", "protocol", "71"]);
  const whole = await routesOf(node);
  const reloads = await countReloads(node);
  assertEquals(whole.match(/198\.18\.0\.1|2001:db8:a::1/g)?.length, 2);
  const [link = ""] = pods.map(({ sandbox }) => sandbox.hostLink);
  const damages = [
    `ip route delete ${SHARED[0]} metric 20`,
    `ip -6 route delete ${SHARED[1]} metric 20`,
    `ip route replace ${SHARED[0]} dev other metric 20`,
    "for id in $(ip nexthop show protocol 70 | sed -n 's/^id \\([0-9]*\\) via.*/\\1/p'); do ip nexthop delete id $id; done",
    `ip link del ${link}`,
  ];
  for (const damage of damages) {
    await t.step(damage.split(";")[0] ?? "", async () => {
      await node.output(["sh", "-ec", damage]);
      const started = performance.now();
      await until("all is back", async () => same(await routesOf(node), whole), { timeoutMs: 2 * LATEST_MS });
      assertEquals(performance.now() - started < LATEST_MS, true);
      for (const address of SHARED) await expectPing(lab.client, address);
    });
  }
  await t.step("what is not flock's is as it was, and the pods have what they had", async () => {
    await node.output(["sh", "-ec", "ip route show proto 71 | grep 198.18.9.9; ip nexthop show id 77"]);
    for (const { sandbox } of pods) assertEquals(await boundOn("lo", sandbox), SHARED);
    assertEquals(await countReloads(node), reloads);
  });
});

Deno.test("a pod that takes its own link down loses its address in BGP, and keeps no other's from coming or going", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const [down, leaves] = [
    await runServicePod(lab, node, { name: "down", anycast: ["198.18.0.2"], ready: true }),
    await runServicePod(lab, node, { name: "leaves", anycast: ["198.18.0.3"], ready: true }),
  ];
  for (const address of ["198.18.0.2", "198.18.0.3"]) await lab.router.waitForRoute(alone(address));
  await t.step("it is withdrawn, and the status says why", async () => {
    await down.sandbox.output(["ip", "link", "set", "eth0", "down"]);
    await lab.router.waitForNoRoute(alone("198.18.0.2"));
    await until("the status says noRoute", async () => {
      const status = await anycastStatus(lab, node, "198.18.0.2");
      return status?.advertised === false && status.waiting.join() === "default/down noRoute";
    });
  });
  await t.step("others come and go, after a restart of the agent too", async () => {
    await runServicePod(lab, node, { name: "comes", anycast: ["198.18.0.4"], ready: true });
    await lab.router.waitForRoute(alone("198.18.0.4"));
    await expectPing(lab.client, "198.18.0.4");
    await node.stopAgent("SIGKILL");
    await leaves.setReady(false);
    await node.startAgent();
    await lab.router.waitForNoRoute(alone("198.18.0.3"));
    await expectPing(lab.client, "198.18.0.4");
  });
  await t.step("it is there again once its link is up", async () => {
    await down.sandbox.output(["ip", "link", "set", "eth0", "up"]);
    await lab.router.waitForRoute(alone("198.18.0.2"));
  });
});

/** Numbers of nexthops may be others by now. */
function same(a: string, b: string): boolean {
  const shape = (text: string): string => text.replace(/\b(id|nhid|group) [\d/]+/g, "$1").split("\n").sort().join("\n");
  return shape(a) === shape(b);
}
