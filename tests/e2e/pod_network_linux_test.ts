import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createLab, type Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import type { LabPod } from "../lab/pods.ts";
import { capture, ping, pingUntilAnswered, sourceOf } from "../lab/probes.ts";
import { CLIENT, nodeConfigOf } from "../lab/topology.ts";
import { until } from "../lab/until.ts";

/** A lab whose nodes serve pods through containerd. */
async function startCluster(options: Parameters<typeof createLab>[0] = {}): Promise<Lab> {
  const lab = await createLab(options);
  await Promise.all(lab.nodes.map((node) => startNode(lab, node)));
  return lab;
}

async function startNode(lab: Lab, node: LabNode): Promise<void> {
  await lab.api.apply(nodeConfigOf(node.spec));
  await Promise.all([node.startBird(), node.startAgent(), node.startContainerd()]);
  const { cidr4, cidr6, families } = node.spec;
  await Promise.all(families.map((family) => lab.router.waitForRoute(family === 4 ? cidr4 : cidr6)));
}

async function expectPing(from: LabPod | Lab["client"], address: string, packetSize?: number): Promise<void> {
  const options = packetSize === undefined ? {} : { packetSize };
  assert(await ping(from, address, options) !== undefined, `${from.name} gets no answer from ${address}`);
}

Deno.test("pods of two nodes, the outside and the router reach each other over both families", async (t) => {
  await using lab = await startCluster();
  const [podA, podB] = await Promise.all([
    lab.node("node-a").runPod({ name: "a" }),
    lab.node("node-b").runPod({ name: "b" }),
  ]);
  await t.step("the first packet after ADD is answered, both ways (T-REL-29, T-REL-30)", async () => {
    for (const family of [4, 6] as const) {
      await expectPing(podA, podB.address(family));
      await expectPing(lab.client, podA.address(family));
      await expectPing(podB, CLIENT[family]);
    }
  });
  await t.step("an MTU of 9000 is kept end to end", async () => {
    for (const family of [4, 6] as const) {
      await expectPing(podA, podB.address(family), 9000);
      await expectPing(lab.client, podB.address(family), 9000);
      assertEquals(await ping(podA, CLIENT[family], { packetSize: 9001 }), undefined);
    }
  });
  await t.step("the far side sees the pod's own address: no NAT", async () => {
    for (const [family, filter] of [[4, "icmp[icmptype] = icmp-echo"], [6, "icmp6[0] = 128"]] as const) {
      await using seen = await capture(lab.client, filter);
      await expectPing(podA, CLIENT[family]);
      assertEquals(sourceOf((await seen.packets(1))[0] ?? ""), podA.address(family));
    }
  });
  await t.step("a packet with a spoofed source leaves no node (T-SEC-10)", async () => {
    await using seen = await capture(lab.client, "src host 203.0.113.62 or src host 2001:db8:f001::bad");
    await podA.output(["ip", "address", "add", "203.0.113.62/32", "dev", "eth0"]);
    await podA.output(["ip", "address", "add", "2001:db8:f001::bad/128", "dev", "eth0", "nodad"]);
    assertEquals(await ping(podA, CLIENT[4], { source: "203.0.113.62", timeoutMs: 300 }), undefined);
    assertEquals(await ping(podA, CLIENT[6], { source: "2001:db8:f001::bad", timeoutMs: 300 }), undefined);
    await expectPing(podA, CLIENT[4]);
    assertEquals(await seen.packets(0), []);
  });
  await t.step("no pod reaches BGP on its own node or the other (T-SEC-14)", async () => {
    for (const pod of [podA, podB]) {
      for (const node of lab.nodes) {
        for (const address of Object.values(node.spec.addresses)) {
          const { code } = await pod.exec(["busybox", "nc", "-w", "1", address, "179", "-e", "true"]);
          assert(code !== 0, `${pod.name} reached TCP 179 on ${address}`);
        }
      }
    }
  });
  await t.step("DEL takes address, link and record away; nothing else", async () => {
    const address = podA.address(4);
    await podA.remove();
    assertEquals(await ping(lab.client, address, { timeoutMs: 300 }), undefined);
    assertEquals((await lab.node("node-a").output(["ip", "-br", "link"])).match(/flock[0-9a-f]{8}/g), null);
    const state = JSON.parse(await lab.node("node-a").read("/var/lib/flock/allocations.json"));
    assertEquals(state.allocations, []);
    await expectPing(lab.client, podB.address(4));
    await podB.remove();
  });
});

Deno.test("an agent that is killed and started again changes nothing for pods and routes", async () => {
  await using lab = await startCluster({ nodes: 1 });
  const node = lab.node("node-a");
  const pod = await node.runPod({ name: "a" });
  await node.stopAgent("SIGKILL");
  for (const family of [4, 6] as const) await expectPing(lab.client, pod.address(family));
  await node.startAgent();
  const second = await node.runPod({ name: "b" });
  assert(second.address(4) !== pod.address(4));
  for (const family of [4, 6] as const) await expectPing(lab.client, pod.address(family));
  await Promise.all([pod.remove(), second.remove()]);
});

Deno.test("nodes of one family serve pods of that family alone", async () => {
  await using lab = await startCluster({ nodes: [[4], [6]] });
  const [four, six] = await Promise.all([
    lab.node("node-a").runPod({ name: "four" }),
    lab.node("node-b").runPod({ name: "six" }),
  ]);
  assertEquals([four.sandbox.addresses.length, six.sandbox.addresses.length], [1, 1]);
  await pingUntilAnswered(lab.client, four.address(4));
  await pingUntilAnswered(lab.client, six.address(6));
  await Promise.all([four.remove(), six.remove()]);
});

Deno.test("the agent tells the cluster how its node is", async () => {
  await using lab = await startCluster({ nodes: 1 });
  await until("the node's network is available", async () => {
    const node = await lab.api.get("/api/v1/nodes/node-a");
    return JSON.stringify(node?.["status"] ?? {}).includes('"FlockReady"');
  });
  const path = "/apis/flock.fritzlab.net/v1alpha1/nodeconfigs/node-a";
  const status = await until("sessions are in the status", async () => {
    const text = JSON.stringify((await lab.api.get(path))?.["status"] ?? {});
    return text.includes("2 of 2 sessions") && text;
  });
  assertStringIncludes(status, '"advertised":["2001:db8:f001::/64","203.0.113.0/26"]');
  await lab.api.patch(path, { spec: { cidr4: ["192.0.2.0/28"] } });
  const refused = await until("the bad NodeConfig is refused", async () => {
    const text = JSON.stringify((await lab.api.get(path))?.["status"] ?? {});
    return text.includes('"Invalid"') && text;
  });
  assertStringIncludes(refused, "192.0.2.0/28");
  assertEquals((await lab.router.bgpRoutes(4)).has("203.0.113.0/26"), true);
  await until("an Event says so", async () => (await lab.api.events("node-a")).length > 0);
});

Deno.test("a pod with a bad annotation does not start, and its Event says why", async () => {
  await using lab = await startCluster({ nodes: 1 });
  const failure = await lab.node("node-a").runPod({ name: "bad", annotations: { "flock.fritzlab.net/ipv6": "yes" } })
    .then(() => "started", (error) => String(error));
  assertStringIncludes(failure, "flock.fritzlab.net/ipv6");
  const event = await until("an Event", async () => (await lab.api.events("bad"))[0]);
  assertEquals([event["reason"], event["type"]], ["InvalidAnnotation", "Warning"]);
});
