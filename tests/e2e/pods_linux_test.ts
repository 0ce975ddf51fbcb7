/** What pods may ask for, and where the agent learns of them. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { parsePrefix } from "../../src/ip/address.ts";
import { createPod, expectPing, startCluster } from "./_cluster.ts";
import { addSandbox, type CallOptions, createSandbox } from "./_sandbox.ts";

/** A static pod's UID is a hash of its manifest. */
const STATIC_UID = "0123456789abcdef0123456789abcdef";
const PREFIX = "flock.fritzlab.net/";

Deno.test("pods get what their annotations ask for", async (t) => {
  await using lab = await startCluster({ nodes: 1 });
  const node = lab.node("node-a");
  const run = (name: string, annotations: Record<string, string>): ReturnType<typeof node.runPod> =>
    node.runPod({
      name,
      annotations: Object.fromEntries(Object.entries(annotations).map(([key, value]) => [PREFIX + key, value])),
    });
  await t.step("one family of two", async () => {
    const [four, six] = await Promise.all([run("four", { ipv6: " False " }), run("six", { ipv4: "false" })]);
    assertEquals([four, six].map(({ sandbox }) => sandbox.addresses.length), [1, 1]);
    await expectPing(lab.client, four.address(4));
    await expectPing(lab.client, six.address(6));
    assertEquals((await four.output(["ip", "-6", "-o", "address", "show", "scope", "global"])).trim(), "");
    assertEquals((await six.output(["ip", "-4", "-o", "address", "show", "scope", "global"])).trim(), "");
  });
  await t.step("a part of the node's CIDRs, even of one address", async () => {
    const pod = await run("part", { cidr4: "198.51.100.0/24, 203.0.113.33/32", cidr6: "2001:db8:f001:0:77::/80" });
    assertEquals(pod.address(4), "203.0.113.33");
    assertMatch(pod.address(6), /^2001:db8:f001:0:77:/);
    for (const family of [4, 6] as const) await expectPing(lab.client, pod.address(family));
  });
  await t.step("names in the IPv6 address: namespace and pod, folded FNV-1a-32", async () => {
    const pods = await Promise.all([1, 2].map((n) => run(`named-${n}`, { "ip-algo": "namespace,pod" })));
    const groups = pods.map((pod) => groupsOf(pod.address(6)));
    assertEquals(groups.map((group) => group.slice(0, 5)), Array(2).fill(["2001", "db8", "f001", "0", "c8e5"]));
    assertEquals(new Set(groups.map((group) => group[5])).size, 2);
    for (const pod of pods) await expectPing(lab.client, pod.address(6));
  });
});

Deno.test("the agent knows a pod from the watch, from a direct read, or from the runtime", async (t) => {
  await using lab = await startCluster({
    nodes: 1,
    containerd: false,
    spec: { defaults: { ipv6: true, ipv4: false } },
  });
  const node = lab.node("node-a");
  await t.step("one that its watch does not see is read directly", async () => {
    const uid = await createPod(lab, { name: "unbound", annotations: { [`${PREFIX}ipv4`]: "true" } });
    const pod = await addSandbox(node, { pod: { name: "unbound", uid } });
    assertEquals(pod.addresses.length, 2);
  });
  await t.step("a recreated pod of the same name is another pod (T-REL-48)", async () => {
    const old = await createPod(lab, {
      name: "set-0",
      annotations: { [`${PREFIX}ipv4`]: "true" },
      nodeName: node.name,
    });
    await lab.api.delete("/api/v1/namespaces/default/pods/set-0");
    const uid = await createPod(lab, { name: "set-0", annotations: {}, nodeName: node.name });
    const [young, stale] = [await addSandbox(node, { pod: { name: "set-0", uid } }), await createSandbox(node)];
    assertEquals(young.addresses.length, 1);
    const refused = await stale.call("ADD", { pod: { name: "set-0", uid: old } });
    assertEquals(refused.code, 11);
    assertMatch(refused.msg, /default\/set-0.*UID/);
  });
  await t.step("a static pod needs no object", async () => {
    const pod = await addSandbox(node, { pod: { name: "static-node-a", uid: STATIC_UID } });
    await expectPing(lab.client, pod.address(6));
    assertEquals(pod.addresses.length, 1);
  });
  await t.step("a static pod with a mirror has the mirror's annotations", async () => {
    const annotations = { "kubernetes.io/config.hash": STATIC_UID, [`${PREFIX}ipv4`]: "true" };
    await createPod(lab, { name: "mirrored-node-a", annotations, nodeName: node.name });
    const pod = await addSandbox(node, { pod: { name: "mirrored-node-a", uid: STATIC_UID } });
    assertEquals(pod.addresses.length, 2);
  });
  await t.step("the runtime's annotations stand in for those of a static pod (T-CNI-31)", async () => {
    const pod = await addSandbox(node, { pod: { name: "passed-on", uid: STATIC_UID }, ...passedOn({ ipv4: "true" }) });
    assertEquals(pod.addresses.length, 2);
  });
});

function passedOn(annotations: Record<string, string>): CallOptions {
  const own = Object.entries(annotations).map(([key, value]) => [PREFIX + key, value]);
  return { config: { runtimeConfig: { "io.kubernetes.cri.pod-annotations": Object.fromEntries(own) } } };
}

/** @returns the eight groups of an IPv6 address, without leading zeros */
function groupsOf(address: string): string[] {
  const base = parsePrefix(`${address}/128`)?.base;
  assert(base !== undefined, `${address} is no address`);
  return Array.from({ length: 8 }, (_, i) => ((base >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
}
