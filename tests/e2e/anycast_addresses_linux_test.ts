/** Addresses that operators choose: in place of those of the pool, one pod's alone, and in BGP for as long as the pod has them. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CNI_CODE } from "../../src/cnispec/cni_error.ts";
import { listenToBgp } from "../lab/bgp_wire.ts";
import { records } from "../lab/json.ts";
import { capture, ping, sourceOf } from "../lab/probes.ts";
import { CLIENT } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import { configPath, createPod, expectPing, startCluster } from "./_cluster.ts";
import { addSandbox, createSandbox } from "./_sandbox.ts";
import { alone, annotationsOf, boundOn, now, runServicePod } from "./_service_pod.ts";

const OUTSIDE = { 4: "198.18.1.1", 6: "2001:db8:b::1" } as const;
const MORE = ["198.18.1.2", "2001:db8:b::2"];
const ANYCAST = ["198.18.0.1", "2001:db8:a::1"];
/** Of the node's own CIDRs. */
const INSIDE = { 4: "203.0.113.40", 6: "2001:db8:f001::40" } as const;
const ONE_ADDRESS = { cidr: "203.0.113.192/30", usable: "203.0.113.194" };
const ECHO_REQUESTS = { 4: "icmp[icmptype] == icmp-echo", 6: "icmp6 and ip6[40] == 128" } as const;
const ALL = [...Object.values(OUTSIDE), ...MORE];

Deno.test("a pod has the addresses that its operator chose", async (t) => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  await using wire = await listenToBgp(lab.router, { link: "br0", directory: lab.dir });
  const pod = await runServicePod(lab, node, { name: "web-0", addresses: ALL, anycast: ANYCAST });
  const { sandbox } = pod;
  await t.step("the first of each family is the primary one, anycast none at all (T-CNI-32)", async () => {
    const { document } = await sandbox.call("ADD", { pod });
    const addresses = records(document["ips"]).map(({ address }) => String(address));
    assertEquals(addresses.slice(0, 2), [`${OUTSIDE[4]}/32`, `${OUTSIDE[6]}/128`]);
    assertEquals(addresses.filter((text) => ANYCAST.map(alone).includes(text)), []);
    assertEquals(await boundOn("eth0", sandbox), ALL.toSorted());
    assertEquals(await boundOn("lo", sandbox), ANYCAST.toSorted());
    assertEquals((await sandbox.call("CHECK", { pod, config: { prevResult: document } })).msg, "");
  });
  await t.step("its packets have it as their source, and the others may be used as well", async () => {
    for (const family of [4, 6] as const) {
      await using seen = await capture(lab.client, ECHO_REQUESTS[family], { link: "up0" });
      await ping(sandbox, CLIENT[family]);
      assertEquals(sourceOf((await seen.packets(1))[0] ?? ""), OUTSIDE[family]);
    }
    for (const [index, source] of MORE.entries()) {
      assertEquals(await ping(sandbox, CLIENT[index === 0 ? 4 : 6], { source }) !== undefined, true, source);
    }
  });
  await t.step("in BGP from ADD to DEL: not Ready, Ready, terminating", async () => {
    for (const address of ALL) await lab.router.waitForRoute(alone(address));
    for (const address of ALL) await expectPing(lab.client, address);
    const at = now();
    await pod.setReady(true);
    await pod.setReady(false);
    await pod.terminate();
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const withdrawn = (await wire.heard()).filter((it) => it.at > at).flatMap((it) => it.withdrawn);
    assertEquals(withdrawn.filter((prefix) => ALL.map(alone).includes(prefix)), []);
    for (const address of ALL) await expectPing(lab.client, address);
    await pod.remove();
    for (const address of ALL) await lab.router.waitForNoRoute(alone(address));
  });
  await t.step("one of the node's own CIDRs is covered by that, and IPAM gives it to nobody else", async () => {
    const inside = await runServicePod(lab, node, { name: "inside", addresses: Object.values(INSIDE) });
    for (const address of Object.values(INSIDE)) await expectPing(lab.client, address);
    const table = await lab.router.bgpRoutes();
    assertEquals(Object.values(INSIDE).map((address) => table.has(alone(address))), [false, false]);
    const annotations = { cidr4: alone(INSIDE[4]) };
    const name = "same";
    const uid = await createPod(lab, { name, annotations: annotationsOf({ name, annotations }), nodeName: node.name });
    const { code } = await (await createSandbox(node)).call("ADD", { pod: { name, uid } });
    assertEquals(code, CNI_CODE.tryAgainLater);
    await inside.remove();
  });
});

Deno.test("an anycast address of the node's own CIDR is given to nobody else, and goes by Ready like any other", async () => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  const anycast = Object.values(INSIDE);
  const pod = await runServicePod(lab, node, { name: "dns-0", anycast, ready: true });
  for (const address of anycast) await lab.router.waitForRoute(alone(address));
  for (const address of anycast) await expectPing(lab.client, address);
  const rival = { name: "rival", annotations: { cidr4: alone(INSIDE[4]) } };
  const uid = await createPod(lab, { ...rival, annotations: annotationsOf(rival), nodeName: node.name });
  const { code } = await (await createSandbox(node)).call("ADD", { pod: { name: rival.name, uid } });
  assertEquals(code, CNI_CODE.tryAgainLater);
  await pod.setReady(false);
  for (const address of anycast) await lab.router.waitForNoRoute(alone(address));
  await pod.remove();
  const next = await addSandbox(node, { pod: { name: rival.name, uid } });
  assertEquals(next.address(4), INSIDE[4]);
});

Deno.test("a family that is covered by addresses takes nothing from the pool", async () => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  await lab.api.patch(configPath(node), { spec: { cidr4: [ONE_ADDRESS.cidr] } });
  await lab.router.waitForRoute(ONE_ADDRESS.cidr);
  const chosen = await runServicePod(lab, node, { name: "web-0", addresses: [OUTSIDE[4]] });
  assertEquals(chosen.sandbox.address(4), OUTSIDE[4]);
  assertMatch(chosen.sandbox.address(6), /^2001:db8:f001:/);
  const last = await addSandbox(node);
  assertEquals(last.address(4), ONE_ADDRESS.usable);
  const { code } = await (await createSandbox(node)).call("ADD");
  assertEquals(code, CNI_CODE.tryAgainLater);
});

Deno.test("an address of one pod is refused to another, and follows its own pod at once", async (t) => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  const chosen = Object.values(OUTSIDE);
  const pod = await runServicePod(lab, node, { name: "web-0", addresses: chosen });
  for (const address of chosen) await lab.router.waitForRoute(alone(address));
  const rival = { name: "web-1", addresses: chosen };
  const uid = await createPod(lab, { name: rival.name, annotations: annotationsOf(rival), nodeName: node.name });
  await t.step("a second live pod is refused, and told who has it", async () => {
    const refused = await createSandbox(node);
    const { code, msg } = await refused.call("ADD", { pod: { ...rival, uid } });
    assertEquals(code, CNI_CODE.invalidAnnotation, msg);
    for (const words of ["flock.fritzlab.net/addresses", OUTSIDE[4], "default/web-0"]) assertStringIncludes(msg, words);
    await refused.remove();
    for (const address of chosen) await expectPing(lab.client, address);
  });
  await t.step("the same pod's new sandbox has it while the old one is still there", async () => {
    const next = await addSandbox(node, { pod });
    assertEquals(next.addresses, chosen);
    for (const address of chosen) await expectPing(lab.client, address);
    await pod.sandbox.remove();
    for (const address of chosen) await expectPing(lab.client, address);
    assertEquals(await boundOn("eth0", next), chosen.toSorted());
    for (const address of chosen) await lab.router.waitForRoute(alone(address));
    await next.remove();
  });
  await t.step("once the pod is gone the other one has it, without any rest", async () => {
    const next = await addSandbox(node, { pod: { ...rival, uid } });
    assertEquals(next.addresses, chosen);
    // The router may still have the route of the one that is gone, and be about to lose it for a moment.
    for (const address of chosen) await until(`${address} answers`, () => ping(lab.client, address));
  });
});
