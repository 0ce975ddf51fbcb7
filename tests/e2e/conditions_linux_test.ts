/** That conditions, Events and metrics of a node say the same of each fault, and of its end. */
import { assertEquals, assertMatch } from "@std/assert";
import { record } from "../lab/json.ts";
import type { Lab } from "../lab/lab.ts";
import type { KubeObject } from "../lab/lab_api.ts";
import type { LabNode } from "../lab/node.ts";
import { ROUTER_ASN } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import { configOf, configPath, createPod, startCluster, untilEvent, untilLogged } from "./_cluster.ts";
import { scrape } from "./_pages.ts";
import { setPolicy } from "./_policy_pods.ts";
import { addSandbox, createSandbox } from "./_sandbox.ts";

interface Scene {
  readonly lab: Lab;
  readonly node: LabNode;
}

/** What of a node's state is to be seen where. */
interface Sight {
  readonly condition: readonly [type: string, reason: string];
  /** On the NodeConfig. */
  readonly event?: readonly [reason: string, includes?: string];
  readonly metric: readonly [name: string, value: number];
}

Deno.test("condition, Event and metric agree on what is wrong with a node, and on its end", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const scene = { lab, node: lab.node("node-a") };
  await t.step("a node that is well: all four conditions are true", () => well(scene));
  await t.step("a session that a router ends, and what is counted", () => loseSession(scene));
  await t.step("a pool that is full, and the pod that is refused for it", () => fillPool(scene));
  await t.step("a NodeConfig that its node cannot have", () => breakConfig(scene));
  await t.step("a policy that fails closed", () => failPolicy(scene));
  await t.step("the log's level, changed while the agent runs", () => changeLogLevel(scene));
  await t.step("an API server that was away: told when it is back", () => loseServer(scene));
});

/** Waits until all three say it. */
async function expectSight({ lab, node }: Scene, { condition: [type, reason], event, metric }: Sight): Promise<void> {
  await until(`${type} is ${reason}`, async () => (await conditionOf(lab, node, type))?.["reason"] === reason);
  if (event !== undefined) await untilEvent(lab, node.name, { reason: event[0], includes: event[1] ?? "" });
  const [name, value] = metric;
  await until(`${name} is ${value}`, async () => (await scrape(node)).get(name) === value);
}

async function statusOf(lab: Lab, node: LabNode): Promise<KubeObject> {
  return record((await lab.api.get(configPath(node)))?.["status"]);
}

async function conditionOf(lab: Lab, node: LabNode, type: string): Promise<KubeObject | undefined> {
  const { conditions } = await statusOf(lab, node);
  return Array.isArray(conditions) ? conditions.map(record).find((each) => each["type"] === type) : undefined;
}

async function setSpec({ lab, node }: Scene, spec: KubeObject): Promise<void> {
  await lab.api.apply(configOf(node, spec));
}

const WELL: Readonly<Record<string, string>> = {
  Ready: "Accepted",
  BGPEstablished: "Established",
  PoolsHealthy: "AddressesLeft",
  PolicyInSync: "InForce",
};

async function well({ lab, node }: Scene): Promise<void> {
  for (const [type, reason] of Object.entries(WELL)) {
    await until(`${type} is ${reason}`, async () => {
      const { status, reason: why } = await conditionOf(lab, node, type) ?? {};
      return status === "True" && why === reason;
    });
  }
}

/** Numbers come with whatever else is new. */
async function expectCounts({ lab, node }: Scene, expected: KubeObject): Promise<void> {
  const { pods, sessions, pools } = await statusOf(lab, node);
  const used = Array.isArray(pools) ? pools.map((pool) => Number(record(pool)["used"])) : [];
  assertEquals({ pods, sessions, used }, expected);
}

async function loseSession(scene: Scene): Promise<void> {
  const { lab, node } = scene;
  const pods = await Promise.all([addSandbox(node), addSandbox(node)]);
  const peer = "192.0.2.1";
  const order = (words: string): Promise<string> =>
    lab.router.vtysh(`configure terminal\nrouter bgp ${ROUTER_ASN}\n${words}`);
  const metric = `flock_bgp_session_established{peer="${peer}"}`;
  await order("neighbor N4 shutdown");
  await expectSight(scene, {
    condition: ["BGPEstablished", "SessionsDown"],
    event: ["BGPSessionLost", peer],
    metric: [metric, 0],
  });
  assertMatch(String((await conditionOf(lab, node, "BGPEstablished"))?.["message"]), /^1 of 2 .*; down: 192\.0\.2\.1$/);
  await expectCounts(scene, { pods: 2, sessions: "1/2", used: [2, 2] });
  await order("no neighbor N4 shutdown");
  await until("the session is back", async () => (await scrape(node)).get(metric) === 1, { timeoutMs: 40_000 });
  await expectSight(scene, {
    condition: ["BGPEstablished", "Established"],
    event: ["BGPSessionEstablished", peer],
    metric: [metric, 1],
  });
  await Promise.all(pods.map((pod) => pod.remove()));
}

/** A /30 has one address for pods. */
async function fillPool(scene: Scene): Promise<void> {
  const { lab, node } = scene;
  const cidr = "203.0.113.248/30";
  await setSpec(scene, { cidr4: [cidr], cidr6: [], defaults: { ipv6: false, ipv4: true } });
  await until(
    "the pool is in force",
    async () => (await scrape(node)).get(`flock_pool_addresses{cidr="${cidr}",family="ipv4"}`) === 1,
  );
  const first = await addSandbox(node);
  await expectSight(scene, {
    condition: ["PoolsHealthy", "Exhausted"],
    event: ["PoolExhausted", cidr],
    metric: [`flock_pool_addresses_used{cidr="${cidr}",family="ipv4"}`, 1],
  });
  const uid = await createPod(lab, { name: "late", annotations: {}, nodeName: node.name });
  const sandbox = await createSandbox(node);
  const { document } = await sandbox.call("ADD", { pod: { name: "late", uid } });
  await untilEvent(lab, "late", { reason: "AddressPoolExhausted", includes: String(document["details"]) });
  await sandbox.remove();
  await first.remove();
  await expectSight(scene, {
    condition: ["PoolsHealthy", "AddressesLeft"],
    event: ["PoolsHealthy"],
    metric: [`flock_pool_addresses_used{cidr="${cidr}",family="ipv4"}`, 0],
  });
  await setSpec(scene, {});
}

async function breakConfig(scene: Scene): Promise<void> {
  await setSpec(scene, { cidr4: ["192.0.2.0/24"], bgp: { asn: scene.node.spec.asn, peers: [] } });
  await expectSight(scene, {
    condition: ["Ready", "Invalid"],
    event: ["InvalidNodeConfig", "192.0.2.0/24"],
    metric: ["flock_nodeconfig_accepted", 0],
  });
  await setSpec(scene, {});
  await expectSight(scene, {
    condition: ["Ready", "Accepted"],
    event: ["NodeConfigInForce"],
    metric: ["flock_nodeconfig_accepted", 1],
  });
}

async function failPolicy(scene: Scene): Promise<void> {
  const { lab, node } = scene;
  const uid = await createPod(lab, { name: "chosen", annotations: {}, nodeName: node.name });
  const pod = await addSandbox(node, { pod: { name: "chosen", uid } });
  const metric = 'flock_policy_problems{reason="PolicyInvalid"}';
  await setPolicy(lab, "default/odd", {
    podSelector: {},
    ingress: [{ from: [{ podSelector: { matchExpressions: [{ key: "a", operator: "Near" }] } }] }],
  });
  await untilEvent(lab, "odd", { reason: "PolicyInvalid", includes: "Near" });
  await expectSight(scene, {
    condition: ["PolicyInSync", "SomeFailClosed"],
    event: ["PoliciesFailClosed", "default/odd"],
    metric: [metric, 1],
  });
  await setPolicy(lab, "default/odd", null);
  await expectSight(scene, {
    condition: ["PolicyInSync", "InForce"],
    event: ["PolicyInSync"],
    metric: [metric, 0],
  });
  await pod.remove();
}

async function changeLogLevel(scene: Scene): Promise<void> {
  await setSpec(scene, { logLevel: "debug" });
  await untilLogged(scene.node, ["log level changed", '"to":"debug"']);
  await setSpec(scene, {});
  await untilLogged(scene.node, ["log level changed", '"to":"info"']);
}

async function loseServer({ lab, node }: Scene): Promise<void> {
  await lab.api.faults.refuse();
  await until("it has been away for long", async () => {
    const age = (await scrape(node)).get('flock_api_watch_age_seconds{resource="nodeconfigs",scope="cluster"}');
    return age !== undefined && age > 8;
  }, { timeoutMs: 30_000, everyMs: 500 });
  await lab.api.faults.recover();
  await until("the server's absence is told", async () => {
    const events = await lab.api.events(node.name);
    return events.some(({ reason, message }) =>
      reason === "APIServerUnreachable" && /did not answer for \d+ s: /.test(String(message))
    );
  }, { timeoutMs: 60_000, everyMs: 250 });
}
