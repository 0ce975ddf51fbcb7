/**
 * The agent keeps policies in force on a real node: from a pod's first packet on, over its own restarts, without the
 * API server, and whatever others do to its table.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { record } from "../lab/json.ts";
import type { Lab } from "../lab/lab.ts";
import type { KubeObject } from "../lab/lab_api.ts";
import { type Flow, Mesh } from "../lab/mesh.ts";
import type { LabNode } from "../lab/node.ts";
import type { Daemon } from "../lab/process.ts";
import { until } from "../lab/until.ts";
import { startCluster, untilCondition, untilEvent, untilLogged } from "./_cluster.ts";
import { makeNamespaces, type PolicyPod, runPolicyPod, setPolicy } from "./_policy_pods.ts";
import { createSandbox } from "./_sandbox.ts";

const TABLE = "inet flock-policy";
const PORT = 80;
/** The bench does twenty. */
const RESTARTS = 6;
const INGRESS_FROM_CLIENT: KubeObject = {
  podSelector: { matchLabels: { app: "server" } },
  ingress: [{ from: [{ podSelector: { matchLabels: { role: "client" } } }] }],
};
const DENY_ALL: KubeObject = { podSelector: {}, policyTypes: ["Ingress", "Egress"] };

interface Scene {
  readonly lab: Lab;
  readonly node: LabNode;
  readonly mesh: Mesh;
  readonly server: PolicyPod;
  readonly client: PolicyPod;
  readonly stranger: PolicyPod;
}

Deno.test("the agent keeps policies in force", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  using mesh = new Mesh();
  const scene = await setScene(lab, mesh);
  const step = (title: string, play: (scene: Scene) => Promise<void>): Promise<boolean> =>
    t.step(title, () => play(scene));
  await step("policies come and go: a deleted one opens again (NP-37)", comeAndGo);
  await step("labels of pods and namespaces change, and a namespace is made anew (NP-38, NP-39, NP-40)", relabel);
  await step("a pod's address changes: the old one is let in no more, the new one is (NP-44)", changeAddress);
  await step("no packet passes between a pod's first moment and its isolation (NP-45)", isolateFirst);
  await step("what others do to the table is undone within two seconds", meddle);
  await step("a hundred changes of our own are taken for no other's", changeOften);
  const after = (await scene.node.readLog("agent")).length;
  await step("restarts of the agent: no allowed packet is lost, no denied one passes (NP-46)", restartOften);
  await step("an agent that starts without the API server leaves the table as it is (NP-47)", startBlind);
  await step(
    "a policy that cannot be compiled closes its own pods, and an Event and the status name it (NP-61)",
    failClosed,
  );
  await t.step("no look of an agent that started found its own table changed", async () => {
    const log = (await scene.node.readLog("agent")).slice(after);
    // An agent that is killed while it asks the kernel for resilient groups leaves a nexthop behind: no policy's concern.
    const isOfPolicies = (line: string): boolean => line.includes('"repaired"') && line.includes('"part":"policies"');
    assertEquals(log.split("\n").filter(isOfPolicies), []);
  });
});

async function setScene(lab: Lab, mesh: Mesh): Promise<Scene> {
  const node = lab.node("node-a");
  await makeNamespaces(lab, { x: { team: "x" }, y: { team: "y" } });
  const run = (name: string, labels: Record<string, string>, namespace = "x"): Promise<PolicyPod> =>
    runPolicyPod({ lab, mesh }, { namespace, name, labels, node, serves: [{ protocol: "tcp", port: PORT }] });
  const [server, client, stranger] = [
    await run("server", { app: "server" }),
    await run("client", { role: "client" }),
    await run("stranger", { role: "stranger" }, "y"),
  ];
  return { lab, node, mesh, server, client, stranger };
}

function flow(from: PolicyPod, to: PolicyPod, family: 4 | 6): Flow {
  return { netns: from.netns, protocol: "tcp", to: to.address(family), port: PORT };
}

/** Waits until, in one look, exactly the given pods reach the server, by both families. */
async function expectReach({ mesh, server, client, stranger }: Scene, wanted: readonly PolicyPod[]): Promise<void> {
  const pods = [client, stranger];
  const flows = pods.flatMap((pod) => [flow(pod, server, 4), flow(pod, server, 6)]);
  const truth = pods.flatMap((pod) => [wanted.includes(pod), wanted.includes(pod)]);
  await until(`${wanted.map(({ key }) => key).join(" and ") || "nobody"} reaches the server`, async () => {
    const reached = (await mesh.probe(flows)).map((answer) => answer !== undefined);
    return reached.join() === truth.join();
  });
}

async function comeAndGo(scene: Scene): Promise<void> {
  const { lab, client, stranger } = scene;
  await expectReach(scene, [client, stranger]);
  await setPolicy(lab, "x/one", INGRESS_FROM_CLIENT);
  await expectReach(scene, [client]);
  await setPolicy(lab, "x/two", DENY_ALL);
  await expectReach(scene, []);
  await setPolicy(lab, "x/two", null);
  await expectReach(scene, [client]);
  await setPolicy(lab, "x/one", null);
  await expectReach(scene, [client, stranger]);
}

async function relabel(scene: Scene): Promise<void> {
  const { lab, client, stranger } = scene;
  const from = [{ podSelector: { matchLabels: { role: "client" } } }, {
    namespaceSelector: { matchLabels: { team: "y" } },
  }];
  await setPolicy(lab, "x/one", { podSelector: { matchLabels: { app: "server" } }, ingress: [{ from }] });
  await expectReach(scene, [client, stranger]);
  await lab.api.patch(client.path, { metadata: { labels: { role: "other" } } });
  await expectReach(scene, [stranger]);
  await lab.api.patch("/api/v1/namespaces/y", { metadata: { labels: { team: "z" } } });
  await expectReach(scene, []);
  await lab.api.patch(client.path, { metadata: { labels: { role: "client" } } });
  await expectReach(scene, [client]);
  await makeNamespaces(lab, { gone: { team: "y" } });
  await lab.api.delete("/api/v1/namespaces/gone");
  await makeNamespaces(lab, { y: { team: "y" } });
  await expectReach(scene, [client, stranger]);
  await lab.api.patch(scene.server.path, { metadata: { labels: { app: "other" } } });
  await setPolicy(lab, "x/one", INGRESS_FROM_CLIENT);
  await expectReach(scene, [client, stranger]);
  await lab.api.patch(scene.server.path, { metadata: { labels: { app: "server" } } });
  await expectReach(scene, [client]);
}

/** Its old address stays the sandbox's: whoever has it now is somebody else, as far as policies go. */
async function changeAddress(scene: Scene): Promise<void> {
  const { lab, client, stranger } = scene;
  const report = (pod: PolicyPod, addresses: readonly string[]): Promise<KubeObject> =>
    lab.api.patch(`${pod.path}/status`, { status: { podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })) } });
  await report(client, stranger.sandbox.addresses);
  await expectReach(scene, [stranger]);
  await report(client, client.sandbox.addresses);
  await expectReach(scene, [client]);
}

const WITNESS = "inet witness";
const SINK = "198.51.100.99";

/**
 * Counts packets before and behind everything that policies hook.
 *
 * @param rules to count by, at the hook `in` or `out`.
 * @returns how to read a counter
 */
async function bearWitness(
  node: LabNode,
  rules: (hook: string) => readonly string[],
): Promise<(counter: string) => Promise<number>> {
  const all = [...rules("in"), ...rules("out")];
  const counters = new Set(all.map((rule) => rule.split(" ").at(-1)));
  const stdin = [
    `table ${WITNESS} {`,
    ...[...counters].map((name) => `counter ${name} { }`),
    ...["chain in { type filter hook prerouting priority 0;", ...rules("in"), "}"],
    ...["chain out { type filter hook postrouting priority 200;", ...rules("out"), "}"],
    "}\n",
  ].join("\n");
  await node.output(["nft", "-f", "-"], { stdin });
  return async (name) => {
    const listed = await node.output(["nft", "list", "counter", ...WITNESS.split(" "), name]);
    return Number(/packets (\d+)/.exec(listed)?.[1]);
  };
}

/** Ten sandboxes that send without a pause from before their ADD on. */
async function isolateFirst({ lab, node }: Scene): Promise<void> {
  await makeNamespaces(lab, { closed: {} });
  await setPolicy(lab, "closed/deny", DENY_ALL);
  await node.output(["ip", "route", "add", `${SINK}/32`, "via", "192.0.2.1"]);
  const packets = await bearWitness(node, (hook) => [`ip daddr ${SINK} counter name ${hook}`]);
  for (let round = 0; round < 10; round++) {
    const name = `early-${round}`;
    const created = await lab.api.apply(podObject("closed", name, node));
    const sandbox = await createSandbox(node);
    const before = await packets("in");
    const sender = await sandbox.spawn("early", [
      "bash",
      "-c",
      `while :; do echo x >/dev/udp/${SINK}/9; done 2>/dev/null`,
    ]);
    await sandbox.add({ pod: { namespace: "closed", name, uid: String(record(created["metadata"])["uid"]) } });
    await until("the pod's packets arrive", async () => await packets("in") > before + 20);
    await sender.stop("SIGKILL");
    await sandbox.remove();
  }
  assertEquals(await packets("out"), 0);
  await setPolicy(lab, "closed/deny", null);
  await node.output(["nft", "delete", "table", ...WITNESS.split(" ")]);
}

function podObject(namespace: string, name: string, node: LabNode): KubeObject {
  const containers = [{ name: "main", image: "example.com/app:1" }];
  const spec = { nodeName: node.name, automountServiceAccountToken: false, containers };
  return { apiVersion: "v1", kind: "Pod", metadata: { namespace, name }, spec };
}

async function meddle(scene: Scene): Promise<void> {
  const { node, client, server } = scene;
  const link = server.sandbox.hostLink;
  const listed = async (): Promise<string> =>
    (await node.exec(["nft", "-s", "list", "table", ...TABLE.split(" ")])).stdout;
  const whole = sorted(await listed());
  assertStringIncludes(whole, link);
  const deeds = [
    "nft flush ruleset",
    `nft delete table ${TABLE}`,
    `nft flush chain ${TABLE} to_${link}`,
    `nft flush chain ${TABLE} ingress`,
    `nft add rule ${TABLE} to_${link} accept`,
    `nft delete element ${TABLE} ingress_pods '{ "${link}" }'`,
  ];
  for (const deed of deeds) {
    const at = performance.now();
    await node.output(["sh", "-c", deed]);
    await until(`the table is as it was after ${deed}`, async () => sorted(await listed()) === whole, {
      timeoutMs: 15_000,
    });
    const took = performance.now() - at;
    assert(took < 2_000, `${deed}: back after ${took} ms`);
  }
  await expectReach(scene, [client]);
}

/** Names are as they were, their order need not be. */
function sorted(text: string): string {
  return text.split("\n").map((line) => line.replace(/elements = .*/, (list) => list.split(/[{},]/).sort().join()))
    .sort().join("\n");
}

async function changeOften(scene: Scene): Promise<void> {
  const { lab, node, client } = scene;
  const after = (await node.readLog("agent")).length;
  for (let round = 0; round < 100; round++) {
    await setPolicy(lab, "x/often", { ...INGRESS_FROM_CLIENT, ingress: [{ ports: [{ port: 1000 + round }] }] });
  }
  await setPolicy(lab, "x/often", null);
  await expectReach(scene, [client]);
  const log = (await node.readLog("agent")).slice(after);
  assertEquals(log.split("\n").filter((line) => /repaired|replacing|reconcile failed/.test(line)), []);
}

/**
 * What arrives of each pod's packets at the node is compared with what passes the policies: whatever keeps a sender
 * from sending counts for nothing.
 */
async function restartOften({ node, server, client, stranger }: Scene): Promise<void> {
  const pods = { client, stranger };
  const rules = (hook: string): string[] =>
    Object.entries(pods).flatMap(([name, pod]) => [
      `ip saddr ${pod.address(4)} udp dport 9 counter name ${name}_${hook}`,
      `ip6 saddr ${pod.address(6)} udp dport 9 counter name ${name}_${hook}`,
    ]);
  const witness = await bearWitness(node, rules);
  const senders = await Promise.all(Object.values(pods).map((pod) => sendForEver(pod, server.sandbox.addresses)));
  await until(
    "packets of both arrive",
    async () => await witness("client_in") > 10 && await witness("stranger_in") > 10,
  );
  for (let restart = 0; restart < RESTARTS; restart++) {
    const after = (await node.readLog("agent")).length;
    await node.stopAgent(restart % 2 === 0 ? "SIGKILL" : "SIGTERM");
    await node.startAgent();
    await untilLogged(node, ["policies in force"], { after });
  }
  for (const sender of senders) await sender.stop("SIGKILL");
  const [sent, passed, leaked] = [
    await witness("client_in"),
    await witness("client_out"),
    await witness("stranger_out"),
  ];
  assertEquals({ lost: sent - passed, leaked }, { lost: 0, leaked: 0 });
  assert(passed > 100 * RESTARTS, `${passed} packets in ${RESTARTS} restarts`);
  await node.output(["nft", "delete", "table", ...WITNESS.split(" ")]);
}

/** To the addresses in turns: one datagram of a flow that goes on, and one of a new flow. */
async function sendForEver({ sandbox }: PolicyPod, addresses: readonly string[]): Promise<Daemon> {
  const [one = "", two = ""] = addresses;
  const script = `exec 3>/dev/udp/$0/9 4>/dev/udp/$1/9
    while :; do for to in $0 $1; do echo x >/dev/udp/$to/9; done; echo x >&3; echo x >&4; sleep 0.01; done 2>/dev/null`;
  return await sandbox.spawn("sender", ["bash", "-c", script, one, two]);
}

async function startBlind(scene: Scene): Promise<void> {
  const { lab, node, mesh, client } = scene;
  const listed = (): Promise<string> => node.output(["nft", "-a", "list", "table", ...TABLE.split(" ")]);
  const counted = /packets \d+ bytes \d+/g;
  const before = (await listed()).replace(counted, "");
  await lab.api.faults.refuse();
  await node.stopAgent("SIGKILL");
  await node.startAgent();
  await untilLogged(node, ["serving"]);
  const late = await createSandbox(node);
  const answer = await late.call("ADD", {
    pod: { namespace: "x", name: "late", uid: "4ec6f2ee-0000-4000-8000-000000000001" },
  });
  assertEquals(answer.code, 11);
  await expectReach(scene, [client]);
  assertEquals((await listed()).replace(counted, ""), before);
  await lab.api.faults.recover();
  const spec = { ...INGRESS_FROM_CLIENT, ingress: [] };
  await setPolicy(lab, "x/one", spec);
  await expectReach(scene, []);
  await setPolicy(lab, "x/one", INGRESS_FROM_CLIENT);
  await expectReach({ ...scene, mesh }, [client]);
}

async function failClosed(scene: Scene): Promise<void> {
  const { lab, node, client, stranger, server } = scene;
  await setPolicy(lab, "y/bad", {
    podSelector: {},
    ingress: [{ from: [{ podSelector: { matchExpressions: [{ key: "a", operator: "Near" }] } }] }],
  });
  await untilEvent(lab, "bad", { reason: "PolicyInvalid", includes: "Near" });
  assertStringIncludes(await untilCondition(lab, node, { type: "PolicyInSync", reason: "SomeFailClosed" }), "y/bad");
  await expectReach(scene, [client]);
  const [answer] = await scene.mesh.probe([flow(server, stranger, 6)]);
  assertEquals(answer, undefined);
  await setPolicy(lab, "y/bad", null);
  await untilCondition(lab, node, { type: "PolicyInSync", reason: "InForce" });
  await until(
    "the pod is open again",
    async () => (await scene.mesh.probe([flow(server, stranger, 6)]))[0] !== undefined,
  );
}
