/** What an agent tells Prometheus and kubelet, on a real node, well and in trouble. */
import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "@std/assert";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { hostLinkName } from "../../src/hash/container_hash.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { ensurePackages } from "../lab/packages.ts";
import { until } from "../lab/until.ts";
import { configOf, expectPing, startCluster, untilLogged } from "./_cluster.ts";
import { readPage, scrape } from "./_pages.ts";
import { addSandbox, callPlugin, createSandbox } from "./_sandbox.ts";
import { runServicePod, type ServicePod } from "./_service_pod.ts";

const ANYCAST = "198.51.100.53";
/** Families that a scrape has whatever happens; those that only appear with an event are asked for where it happens. */
const ALWAYS = [
  "flock_cni_operation_duration_seconds_count",
  "flock_pool_addresses",
  "flock_bgp_session_established",
  "flock_bgp_advertised_prefixes",
  "flock_anycast_claims",
  "flock_policy_table_objects",
  "flock_repairs_total",
  "flock_api_watch_age_seconds",
  "process_resident_memory_bytes",
  "flock_build_info",
];

interface Scene {
  readonly lab: Lab;
  readonly node: LabNode;
}

Deno.test("metrics and health of an agent", async (t) => {
  await ensurePackages(["prometheus"], { runner: createSystemRunner() });
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const scene = { lab, node: lab.node("node-a") };
  await t.step("operations, pool, sessions and watches are counted, and promtool has no complaint", () => count(scene));
  await t.step("what serves an anycast address is seen, and how long it took to tell BIRD", () => flip(scene));
  await t.step("drops are counted by reason, and by pod where the NodeConfig asks for it", () => drop(scene));
  await t.step(
    "the node's own address answers when the NodeConfig says so, and not before or after",
    () => bind(scene),
  );
  await t.step("what others take away is counted as a repair", () => repair(scene));
  await t.step("a state that the disk refuses shows", () => fillDisk(scene));
  await t.step("without the API server the agent is alive, not ready, and still measured", () => loseApi(scene));
  await t.step("without BIRD it is not healthy, and a prober that excludes BIRD lets it live", () => loseBird(scene));
});

async function count({ node }: Scene): Promise<void> {
  const before = await scrape(node);
  const sandbox = await addSandbox(node);
  assertEquals(
    (await callPlugin(node, "ADD", { env: { CNI_CONTAINERID: "x", CNI_NETNS: "/run/netns/none", CNI_IFNAME: "eth0" } }))
      .exit,
    1,
  );
  const page = await readPage(node, "/metrics");
  assertStringIncludes(page?.contentType ?? "", "text/plain; version=0.0.4");
  const { code, stdout, stderr } = await createSystemRunner().run(["/usr/bin/promtool", "check", "metrics"], {
    stdin: page?.text ?? "",
  });
  assertEquals([code, stdout + stderr], [0, ""]);
  const after = await scrape(node);
  const text = [...after.keys()].join("\n");
  for (const name of ALWAYS) assertStringIncludes(text, name);
  const operation = (verb: string, result: string) =>
    `flock_cni_operation_duration_seconds_count{verb="${verb}",result="${result}"}`;
  assertEquals(after.get(operation("ADD", "success")), (before.get(operation("ADD", "success")) ?? 0) + 1);
  assertEquals(after.get(operation("ADD", "error")), 1);
  assertEquals(after.get('flock_pool_addresses{cidr="203.0.113.0/26",family="ipv4"}'), 61);
  assertEquals(after.get('flock_pool_addresses_used{cidr="203.0.113.0/26",family="ipv4"}'), 1);
  assertEquals(after.get('flock_allocations{state="committed"}'), 1);
  for (const peer of [...after].filter(([name]) => name.startsWith("flock_bgp_session_established"))) {
    assertEquals(peer[1], 1, peer[0]);
  }
  assertEquals(after.get('flock_api_watch_up{resource="nodeconfigs",scope="cluster"}'), 1);
  assertGreater(after.get("process_resident_memory_bytes") ?? 0, 10_000_000);
  assertGreater(after.get("process_cpu_seconds_total") ?? 0, 0.1);
  assertEquals(text.match(/default|c1/g), null, "no series is of one pod");
  for (const path of ["/healthz", "/readyz"]) {
    const { status, text } = await readPage(node, path) ?? { status: 0, text: "" };
    assertEquals([status, text.match(/^\[-\].*$/gm)], [200, null], text);
  }
  await sandbox.remove();
}

async function flip({ lab, node }: Scene): Promise<void> {
  const pod = await runServicePod(lab, node, { name: "dns", anycast: [ANYCAST] });
  const value = async (name: string): Promise<number | undefined> => (await scrape(node)).get(name);
  await until("the claim waits", async () => await value('flock_anycast_claims{state="notReady"}') === 1);
  assertEquals(await value('flock_anycast_addresses{state="withdrawn"}'), 1);
  await pod.setReady(true);
  await lab.router.waitForRoute(`${ANYCAST}/32`);
  await until("the claim is served", async () => await value('flock_anycast_addresses{state="advertised"}') === 1);
  await pod.setReady(false);
  await lab.router.waitForNoRoute(`${ANYCAST}/32`);
  for (const change of ["advertise", "withdraw"]) {
    const flips = `flock_anycast_flip_duration_seconds_count{change="${change}"}`;
    await until(`one ${change}`, async () => await value(flips) === 1);
    assertLess(await value(flips.replace("_count", "_sum")) ?? Infinity, 5);
  }
  await pod.remove();
}

async function drop({ lab, node }: Scene): Promise<void> {
  await lab.api.apply({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { namespace: "default", name: "closed" },
    spec: { podSelector: {}, policyTypes: ["Ingress"] },
  });
  await until("the policy is in force", async () => (await scrape(node)).get("flock_policies_in_force") === 1);
  const pod = await runServicePod(lab, node, { name: "closed", anycast: [ANYCAST] });
  await until(
    "its table has a pod",
    async () => (await scrape(node)).get('flock_policy_table_objects{kind="pods"}') === 1,
  );
  const other = await addSandbox(node);
  await knock(lab, pod);
  await other.exec(["ip", "address", "add", "192.0.2.222/32", "dev", "lo"]);
  await other.exec(["ping", "-c", "1", "-W", "1", "-I", "192.0.2.222", pod.sandbox.address(4)]);
  await seen(node, 'flock_dropped_packets_total{reason="policy_ingress"}');
  await seen(node, 'flock_dropped_packets_total{reason="spoofed4"}');
  assertEquals([...(await scrape(node)).keys()].filter((name) => name.includes(ANYCAST) || name.includes("pod=")), []);
  await lab.api.apply(configOf(node, { metrics: { perPod: true } }));
  await seen(node, 'flock_pod_dropped_packets_total{namespace="default",pod="closed",direction="ingress"}');
  assertEquals((await scrape(node)).get(`flock_anycast_address_advertised{address="${ANYCAST}"}`), 0);
  assertGreater((await scrape(node)).get("flock_policy_programming_duration_seconds_count") ?? 0, 0);
  await lab.api.delete("/apis/networking.k8s.io/v1/namespaces/default/networkpolicies/closed");
  await other.remove();
  await pod.remove();
}

async function knock({ client }: Lab, { sandbox }: ServicePod): Promise<void> {
  await client.exec(["ping", "-c", "2", "-i", "0.2", "-W", "1", sandbox.address(4)]);
}

/** A scrape has what was so at the one before, and looks at most every five seconds. */
async function seen(node: LabNode, name: string): Promise<void> {
  await until(`${name} is more than 0`, async () => ((await scrape(node)).get(name) ?? 0) > 0, {
    ...{ timeoutMs: 40_000, everyMs: 500 },
  });
}

async function bind({ lab, node }: Scene): Promise<void> {
  const hostname = node.spec.addresses[4] ?? "";
  const from = (port: number) => readPage(lab.router, "/metrics", { hostname, port });
  assertEquals(await from(9469), undefined);
  await lab.api.apply(configOf(node, { metrics: { bind: "Node", port: 9500 } }));
  const page = await until("it answers the router", () => from(9500));
  assertEquals(page.status, 200);
  assertEquals((await readPage(node, "/healthz"))?.status, 200, "kubelet asks where it always does");
  await lab.api.apply(configOf(node, { metrics: { bind: "Loopback" } }));
  await until("it answers the router no more", async () => await from(9500) === undefined);
}

async function repair({ node }: Scene): Promise<void> {
  const links = 'flock_repairs_total{part="links"}';
  const sandbox = await addSandbox(node);
  const before = (await scrape(node)).get(links) ?? 0;
  await node.output(["ip", "route", "delete", `${sandbox.address(4)}/32`, "dev", hostLinkName(sandbox.id)]);
  await until("the repair is counted", async () => ((await scrape(node)).get(links) ?? 0) > before);
  await sandbox.remove();
}

async function fillDisk({ node }: Scene): Promise<void> {
  await node.output(["mount", "-o", "remount,ro", "/var/lib/flock"]);
  const sandbox = await createSandbox(node);
  assertEquals((await sandbox.call("ADD")).code, 5);
  assertEquals((await scrape(node)).get("flock_state_durable"), 0);
  const errors = 'flock_cni_operation_errors_total{verb="ADD",code="5"}';
  assertGreater((await scrape(node)).get(errors) ?? 0, 0);
  assertStringIncludes((await readPage(node, "/readyz"))?.text ?? "", "[-] state failed");
  await node.output(["mount", "-o", "remount,rw", "/var/lib/flock"]);
  await sandbox.add();
  assertEquals((await scrape(node)).get("flock_state_durable"), 1);
  await sandbox.remove();
}

async function loseApi({ lab, node }: Scene): Promise<void> {
  await lab.api.faults.refuse();
  await untilLogged(node, ["watch interrupted"]);
  const ready = await until("it is not ready", async () => {
    const page = await readPage(node, "/readyz");
    return page?.status === 503 && page.text;
  }, { timeoutMs: 40_000, everyMs: 200 });
  assertStringIncludes(ready, "[-] api failed: ");
  assertEquals((await readPage(node, "/readyz?exclude=api"))?.status, 200);
  assertEquals((await readPage(node, "/healthz"))?.status, 200);
  assertEquals((await scrape(node)).get('flock_api_watch_up{resource="nodeconfigs",scope="cluster"}'), 0);
  await lab.api.faults.recover();
  await until("it is ready", async () => (await readPage(node, "/readyz"))?.status === 200, { timeoutMs: 40_000 });
}

async function loseBird({ lab, node }: Scene): Promise<void> {
  const pid = (await node.read("/run/flock/bird.pid")).trim();
  await node.output(["kill", "-KILL", pid]);
  const page = await until("it is not healthy", async () => {
    const page = await readPage(node, "/healthz");
    return page?.status === 503 && page;
  });
  assertStringIncludes(page.text, "[-] bird failed: BIRD does not answer");
  assertEquals((await readPage(node, "/healthz?exclude=bird"))?.status, 200);
  const samples = await scrape(node);
  assertEquals(samples.get("flock_bird_up"), 0);
  const established = [...samples].filter(([name]) => name.startsWith("flock_bgp_session_established"));
  assert(established.length > 0 && established.every(([, value]) => value === 0));
  await node.startBird();
  await until("it is healthy", async () => (await readPage(node, "/healthz"))?.status === 200);
  const sandbox = await addSandbox(node);
  await expectPing(lab.client, sandbox.address(4));
}
