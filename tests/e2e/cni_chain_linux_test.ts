/** flock among other plugins: first of a chain, second after another, with the real ones of Debian behind it. */
import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { record, records } from "../lab/json.ts";
import type { LabNode } from "../lab/node.ts";
import { ping } from "../lab/probes.ts";
import { allocationsOf, kernelOf, startCluster } from "./_cluster.ts";
import { chainOf, type ChainPlugin } from "./_chain.ts";
import { createSandbox, PLUGIN, type Sandbox } from "./_sandbox.ts";
import { until } from "../lab/until.ts";

const FIRST: ChainPlugin = { path: "/opt/cni/bin/first" };
const FLOCK: ChainPlugin = { path: PLUGIN };
const MAPPING = { hostPort: 8080, containerPort: 80, protocol: "tcp" };
const MEGABIT = 1_000_000;
const RATES = { ingressRate: MEGABIT, ingressBurst: MEGABIT, egressRate: MEGABIT, egressBurst: MEGABIT };
const LATER: readonly ChainPlugin[] = [
  { path: "/usr/lib/cni/bandwidth", config: { runtimeConfig: { bandwidth: RATES } } },
  { path: "/usr/lib/cni/tuning", config: { mtu: 1400, sysctl: { "net.ipv4.conf.eth0.arp_announce": "2" } } },
  // Of a dual-stack pod its CHECK looks for IPv4's rule among those of IPv6.
  { path: "/usr/lib/cni/portmap", config: { snat: false, runtimeConfig: { portMappings: [MAPPING] } }, checks: false },
];

/** What `first` says that it made, and does make. */
const FIRST_RESULT = {
  cniVersion: "1.0.0",
  interfaces: [{ name: "first0", mac: "02:00:00:00:00:99", sandbox: "SANDBOX" }],
  ips: [{ address: "192.0.2.77/32", interface: 0 }],
  routes: [{ dst: "192.0.2.0/24" }],
  dns: { nameservers: ["192.0.2.53"], search: ["first.example"] },
};
const FIRST_SCRIPT = `#!/bin/sh
set -e
netns="ip -n $(basename "$CNI_NETNS")"
case $CNI_COMMAND in
ADD)
  $netns link add first0 address 02:00:00:00:00:99 type bridge
  sed "s|SANDBOX|$CNI_NETNS|" /run/first-result ;;
DEL)
  $netns link show eth0 2>/dev/null && exit 1 # it was there before flock was, and goes after it
  $netns link del first0 ;;
esac
`;

Deno.test("flock works in a chain with bandwidth, tuning and portmap (T-CNI-30)", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  await node.write("/run/first-result", JSON.stringify(FIRST_RESULT));
  await node.write(FIRST.path, FIRST_SCRIPT);
  await node.output(["chmod", "755", FIRST.path]);
  await t.step("first of it: what the others do works, and DEL in reverse order takes it all back", async () => {
    const sandbox = await createSandbox(node);
    const chain = chainOf(node, [FLOCK, ...LATER]);
    const result = await chain.add(sandbox);
    assertEquals(records(result["interfaces"])[0]?.["name"], sandbox.hostLink);
    await expectLaterPlugins(node, sandbox);
    await sandbox.exec(["sh", "-c", "echo hello | timeout 10 busybox nc -l -p 80 >/dev/null 2>&1 &"]);
    const greeting = ["timeout", "5", "busybox", "nc", node.spec.addresses[4] ?? "", "8080"];
    await until("the pod's server answers", async () => (await lab.client.exec(greeting)).stdout === "hello\n");
    await chain.check(sandbox, result);
    assertEquals((await sandbox.call("ADD", { config: { cniVersion: "1.0.0" } })).document["ips"], result["ips"]);
    await expectLaterPlugins(node, sandbox); // a repeated ADD has not cut the pod off
    await chain.del(sandbox, result);
    await expectNothingLeft(node);
  });
  await t.step("CHECK takes a later plugin's gateway as the result tells it, but no other MAC address", async () => {
    const sandbox = await createSandbox(node);
    const chain = chainOf(node, [FLOCK]);
    const result = await chain.add(sandbox);
    const routes = records(result["routes"]);
    await sandbox.output(["ip", "route", "replace", "default", "via", "192.0.2.1", "dev", "eth0", "onlink"]);
    await assertRejects(() => chain.check(sandbox, result), Error, "default route via 169.254.1.1 dev eth0 is missing");
    const moved = routes.map((route) => route["dst"] === "0.0.0.0/0" ? { ...route, gw: "192.0.2.1" } : route);
    await chain.check(sandbox, { ...result, routes: moved });
    // A repeated ADD leaves it as it is.
    assertEquals((await sandbox.call("ADD", { config: { cniVersion: "1.0.0" } })).document["ips"], result["ips"]);
    assertStringIncludes(await sandbox.output(["ip", "route"]), "default via 192.0.2.1");
    await sandbox.output(["ip", "link", "set", "eth0", "address", "02:00:00:00:00:01"]);
    assertEquals(await ping(lab.client, sandbox.address(6)), undefined, "nobody sends to that one");
    const [host, eth0] = records(result["interfaces"]);
    const renamed = { ...result, routes: moved, interfaces: [host, { ...eth0, mac: "02:00:00:00:00:01" }] };
    await assertRejects(() => chain.check(sandbox, renamed), Error, "link eth0 has MAC 02:00:00:00:00:01");
    await chain.del(sandbox, result);
    await expectNothingLeft(node);
  });
  await t.step("second of it, too: prevResult passes through", async () => {
    const sandbox = await createSandbox(node);
    const chain = chainOf(node, [FIRST, FLOCK, ...LATER]);
    const result = await chain.add(sandbox);
    const [first, host, eth0] = records(result["interfaces"]);
    assertEquals(first, { ...FIRST_RESULT.interfaces[0], sandbox: `/run/netns/${sandbox.id}` });
    assertEquals([host?.["name"], eth0?.["name"]], [sandbox.hostLink, "eth0"]);
    assertEquals(records(result["ips"])[0], FIRST_RESULT.ips[0]);
    assertEquals(records(result["ips"]).map((ip) => ip["interface"]), [0, 2, 2]);
    assertEquals(records(result["routes"]).map(({ dst }) => dst), ["192.0.2.0/24", "0.0.0.0/0", "::/0"]);
    assertEquals(record(result["dns"]), FIRST_RESULT.dns);
    await expectLaterPlugins(node, sandbox);
    await chain.check(sandbox, result);
    await chain.del(sandbox, result);
    await expectNothingLeft(node);
  });
});

async function expectLaterPlugins(node: LabNode, sandbox: Sandbox): Promise<void> {
  assertMatch(await node.output(["tc", "qdisc", "show", "dev", sandbox.hostLink]), /tbf .*rate 1Mbit/);
  assertStringIncludes(await sandbox.output(["ip", "link", "show", "dev", "eth0"]), "mtu 1400");
  assertEquals(await sandbox.output(["sysctl", "-n", "net.ipv4.conf.eth0.arp_announce"]), "2\n");
  assertMatch(
    await node.output(["iptables-save", "-t", "nat"]),
    /--dport 8080 -j DNAT --to-destination 203\.0\.113\.\d+:80/,
  );
}

async function expectNothingLeft(node: LabNode): Promise<void> {
  assertEquals([await kernelOf(node), await allocationsOf(node)], [{ links: [], routes: [], grants: [] }, []]);
  assertEquals(await node.output(["ip", "link", "show", "type", "ifb"]), "");
  assertEquals((await node.output(["iptables-save", "-t", "nat"])).includes("8080"), false);
}
