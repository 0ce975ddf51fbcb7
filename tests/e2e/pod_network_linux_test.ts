/** The main job, by way of containerd: pods get addresses, and the router learns them. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { record, records } from "../lab/json.ts";
import { createLab } from "../lab/lab.ts";
import { capture, ping, sourceOf, type Vantage } from "../lab/probes.ts";
import { CLIENT } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import {
  allocationsOf,
  configOf,
  configPath,
  expectPing,
  kernelOf,
  startCluster,
  untilCondition,
  untilEvent,
} from "./_cluster.ts";

const ASSETS = Deno.env.get("KUBEBUILDER_ASSETS");

Deno.test("pods of two nodes, the outside and the router reach each other over both families", async (t) => {
  await using lab = await startCluster();
  const [podA, podB] = await Promise.all([
    lab.node("node-a").runPod({ name: "a" }),
    lab.node("node-b").runPod({ name: "b" }),
  ]);
  await t.step("the first packet after ADD is answered, both ways (T-REL-29)", async () => {
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
  await t.step("a packet with a spoofed source leaves no node", async () => {
    await using seen = await capture(lab.client, "src host 203.0.113.62 or src host 2001:db8:f001::bad");
    await podA.output(["ip", "address", "add", "203.0.113.62/32", "dev", "eth0"]);
    await podA.output(["ip", "address", "add", "2001:db8:f001::bad/128", "dev", "eth0", "nodad"]);
    assertEquals(await ping(podA, CLIENT[4], { source: "203.0.113.62", timeoutMs: 300 }), undefined);
    assertEquals(await ping(podA, CLIENT[6], { source: "2001:db8:f001::bad", timeoutMs: 300 }), undefined);
    await expectPing(podA, CLIENT[4]);
    assertEquals(await seen.packets(0), []);
  });
  await t.step("no pod reaches BGP on its own node or the other (T-SEC-14)", async () => {
    const addresses = lab.nodes.flatMap(({ spec }) => Object.values(spec.addresses));
    const attempts = [podA, podB].flatMap((pod) => addresses.map((address) => reachesBgp(pod, address)));
    assertEquals(await Promise.all(attempts), Array(8).fill(false));
    assertEquals(await reachesBgp(lab.client, addresses[0] ?? ""), true);
  });
  await t.step("DEL takes address, link and record away; nothing else", async () => {
    const address = podA.address(4);
    await podA.remove();
    assertEquals(await ping(lab.client, address, { timeoutMs: 300 }), undefined);
    assertEquals(await kernelOf(lab.node("node-a")), { links: [], routes: [], grants: [] });
    assertEquals(await allocationsOf(lab.node("node-a")), []);
    for (const family of [4, 6] as const) await expectPing(lab.client, podB.address(family));
    await podB.remove();
  });
});

Deno.test("a node tells its cluster how it is, and outlives its agent", async (t) => {
  await using lab = await startCluster({ nodes: 1 });
  const node = lab.node("node-a");
  await t.step("conditions of Node and NodeConfig, sessions and prefixes", async () => {
    await until("the node's network is available", async () => {
      const status = (await lab.api.get("/api/v1/nodes/node-a"))?.["status"];
      return records(record(status)["conditions"]).some(({ type, status, reason }) =>
        type === "NetworkUnavailable" && status === "False" && reason === "FlockReady"
      );
    });
    assertEquals(await untilCondition(lab, node, { reason: "Accepted" }), "in force");
    await untilCondition(lab, node, { type: "BGPEstablished", reason: "Established" });
    const { peers, advertised } = record((await lab.api.get(configPath(node)))?.["status"]);
    assertEquals(advertised, [node.spec.cidr6, node.spec.cidr4]);
    assertEquals(records(peers).map(({ state }) => state), ["Established", "Established"]);
  });
  await t.step("a pod with a bad annotation does not start, and its Event says why", async () => {
    const annotations = { "flock.fritzlab.net/ipv6": "yes" };
    const failure = await node.runPod({ name: "bad", annotations }).then(() => "started", String);
    const message = await untilEvent(lab, "bad", { reason: "InvalidAnnotation" });
    assertMatch(message, /^annotation flock.fritzlab.net\/ipv6 "yes": must be true or false; request [0-9a-f]{12}$/);
    assertStringIncludes(failure, message);
  });
  await t.step("an agent that is killed and started again changes nothing for pods", async () => {
    const pod = await node.runPod({ name: "a" });
    await node.stopAgent("SIGKILL");
    for (const family of [4, 6] as const) await expectPing(lab.client, pod.address(family));
    await node.startAgent();
    const second = await node.runPod({ name: "b" });
    assert(second.address(4) !== pod.address(4));
    for (const family of [4, 6] as const) await expectPing(lab.client, pod.address(family));
    await Promise.all([pod.remove(), second.remove()]);
  });
});

Deno.test("nodes of one family serve pods of that family alone", async () => {
  await using lab = await startCluster({ nodes: [[4], [6]], api: "embedded" });
  const [four, six] = await Promise.all([
    lab.node("node-a").runPod({ name: "four" }),
    lab.node("node-b").runPod({ name: "six" }),
  ]);
  assertEquals([four.sandbox.addresses.length, six.sandbox.addresses.length], [1, 1]);
  await expectPing(lab.client, four.address(4));
  await expectPing(lab.client, six.address(6));
  await Promise.all([four.remove(), six.remove()]);
});

Deno.test({
  name: "containerd 2.4, which asks for STATUS, is ready with the first BGP session and runs pods",
  ignore: ASSETS === undefined,
  fn: async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node("node-a");
    await Promise.all([lab.api.apply(configOf(node)), node.startAgent()]);
    const { cri } = await node.startContainerd({ binDir: `${ASSETS}/containerd` });
    await until(
      "containerd has asked for STATUS",
      async () =>
        (await cri.complaints()).some((complaint) => complaint.includes("no BGP session has come up since boot")),
    );
    await node.startBird();
    await until("containerd is ready for pods", async () => (await cri.complaints()).length === 0, {
      timeoutMs: 30_000,
    });
    const pod = await node.runPod({ name: "a" });
    for (const family of [4, 6] as const) await expectPing(lab.client, pod.address(family));
    await pod.remove();
    assertEquals(await allocationsOf(node), []);
  },
});

/** Says whether something takes a connection to the port of BGP; BIRD takes anybody's, and closes a stranger's. */
async function reachesBgp(from: Vantage, address: string): Promise<boolean> {
  return (await from.exec(["busybox", "nc", "-w", "1", address, "179", "-e", "true"])).code === 0;
}
