// deno-lint-ignore-file no-console -- what is skipped is told to whoever reads the run
/**
 * The agent as a pod has it, by the token of a service account, against the real API server: each rule of its role gone in turn, and a
 * token that is replaced by another. Not in the cluster of `install_linux_test.ts`: a watch that runs is not asked for its rights again,
 * so each loss needs an agent of its own.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { SERVICE_ACCOUNT_DIR } from "../../src/kube/connection.ts";
import { record, records } from "../lab/json.ts";
import { createLab, type Lab } from "../lab/lab.ts";
import type { KubeObject } from "../lab/lab_api.ts";
import type { LabNode } from "../lab/node.ts";
import type { Daemon } from "../lab/process.ts";
import { CONTROL_PLANE, nodeConfigOf } from "../lab/topology.ts";
import { GaveUp, until } from "../lab/until.ts";
import { bundled } from "../manifest/objects.ts";

const REAL = Deno.env.has("KUBEBUILDER_ASSETS");
if (!REAL) {
  console.error(
    "SKIPPED the agent by its service account, for want of kube-apiserver; run: KUBEBUILDER_ASSETS=DIR npx -y deno@2.9.6 task test",
  );
}

/** All that the agent would say within it, on a machine that is busy. */
const LONG = { timeoutMs: 60_000, everyMs: 50 };
/** /var/run is a link, which outside of the node leads to the machine's. */
const MOUNT = SERVICE_ACCOUNT_DIR.replace(/^\/var/, "");
const CONFIG = "/apis/flock.fritzlab.net/v1alpha1/nodeconfigs/node-a";

// resource of a rule -> what the agent that lacks it says: which request was refused
const COMPLAINTS: ReadonlyMap<string, RegExp> = new Map([
  ["pods", /"watch interrupted","path":"\/api\/v1\/pods","reason":".*: 403, .*forbidden/],
  ["namespaces", /"watch interrupted","path":"\/api\/v1\/namespaces","reason":".*: 403, .*forbidden/],
  ["networkpolicies", /"watch interrupted","path":"[^"]*\/networkpolicies","reason":".*: 403, .*forbidden/],
  ["nodeconfigs", /"watch interrupted","path":"[^"]*\/nodeconfigs","reason":".*: 403, .*forbidden/],
  ["nodeconfigs/status", /"reconcile failed",.*PATCH \\"[^ ]*\/nodeconfigs\/node-a\/status\\": 403, .*forbidden/],
  ["nodes/status", /"reconcile failed",.*PATCH \\"\/api\/v1\/nodes\/node-a\/status\\": 403, .*forbidden/],
  ["events", /"event not recorded",.*: 403, .*forbidden/],
]);

Deno.test({ name: "the agent by its service account", ignore: !REAL }, async (t) => {
  await using lab = await createLab({ nodes: 1, api: "real" });
  const node = lab.node("node-a");
  const rules = records((await bundled("ClusterRole"))["rules"]);
  assertEquals(rules.map(nameOf).sort(), [...COMPLAINTS.keys()].sort());
  await arrange(lab, rules);
  await node.startBird();

  await t.step("with its role it serves, and is refused nothing", async () => {
    await using agent = await startAs(lab, "whole");
    await until("the NodeConfig is Ready", () => isReady(lab), LONG);
    await until("the Node's network is said to be up", () => isNetworkUp(lab), LONG);
    await until("an Event was recorded", async () => (await lab.api.events("node-a")).length > 0, LONG);
    assertEquals(await refusals(agent), []);
  });

  for (const [index, rule] of rules.entries()) {
    await t.step(`without the rule for ${nameOf(rule)} it says what it may not`, async () => {
      await using agent = await startAs(lab, `without-${index}`);
      const complaint = COMPLAINTS.get(nameOf(rule)) ?? /^$/;
      await until(`the agent says ${complaint}`, async () => {
        const lines = await agent.own();
        if (lines.some((line) => complaint.test(line))) return true;
        if (!agent.running) throw new GaveUp(`it ended: ${lines.join("\n")}`);
        throw new Error(`it says ${lines.join("\n")}`);
      }, LONG);
    });
  }

  await t.step("a token that was replaced is used at once, the old one not missed", () => expectRotation(lab));
});

function nameOf({ resources }: Record<string, unknown>): string {
  return String(resources);
}

/** One service account for the whole role, and one for each rule that is left out: `without-0`, `without-1`, ... */
async function arrange(lab: Lab, rules: readonly Record<string, unknown>[]): Promise<void> {
  const roles = [
    { name: "whole", rules },
    ...rules.map((_, index) => ({ name: `without-${index}`, rules: rules.toSpliced(index, 1) })),
  ];
  const { spec } = lab.node("node-a");
  await lab.api.apply(nodeConfigOf(spec));
  // Of a second node with the same AS number every agent has an Event to tell.
  const { bgp } = record(nodeConfigOf(spec)["spec"]);
  const twin = { cidr4: ["198.18.0.0/24"], bgp };
  await lab.api.apply({ ...nodeConfigOf(spec), metadata: { name: "node-z" }, spec: twin });
  // Namespaces and the pods of other nodes are followed only where there is a policy.
  const policy = { podSelector: { matchLabels: { app: "none" } }, policyTypes: ["Ingress"] };
  const kind = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" };
  await lab.api.apply({ ...kind, metadata: { name: "any" }, spec: policy });
  await Promise.all(roles.map(({ name, rules }) => applyAccount(lab, { name, rules })));
}

async function applyAccount(
  { api }: Lab,
  { name, rules }: { readonly name: string; readonly rules: readonly KubeObject[] },
): Promise<void> {
  const rbac = "rbac.authorization.k8s.io";
  const role = { apiVersion: `${rbac}/v1`, metadata: { name } };
  await api.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name } });
  await api.apply({ apiVersion: "v1", kind: "Secret", metadata: { name } });
  await api.apply({ ...role, kind: "ClusterRole", rules });
  await api.apply({
    ...role,
    kind: "ClusterRoleBinding",
    roleRef: { apiGroup: rbac, kind: "ClusterRole", name },
    subjects: [{ kind: "ServiceAccount", name, namespace: "default" }],
  });
}

/** An agent that ends with its block. */
interface AccountAgent extends AsyncDisposable {
  readonly running: boolean;
  /** @returns the lines that this one has written, and none before it */
  own(): Promise<string[]>;
}

async function startAs(lab: Lab, account: string): Promise<AccountAgent> {
  const node = lab.node("node-a");
  await mount(lab, { account, secret: account });
  const before = (await node.readLog("agent")).length;
  const daemon = await startInPod(lab, node);
  return {
    get running(): boolean {
      return daemon.running;
    },
    own: async () => (await node.readLog("agent")).slice(before).split("\n"),
    [Symbol.asyncDispose]: async () => void await daemon.stop(),
  };
}

/** With the environment that kubelet gives a pod. */
async function startInPod({ api }: Lab, node: LabNode): Promise<Daemon> {
  const server = new URL(String(clusterOf(api.kubeconfig())["server"]));
  const env = { KUBERNETES_SERVICE_HOST: CONTROL_PLANE[4], KUBERNETES_SERVICE_PORT: server.port };
  return await node.startAgent({ credentials: [], env, wait: false });
}

function clusterOf(kubeconfig: string): Record<string, unknown> {
  return record(records(record(JSON.parse(kubeconfig))["clusters"])[0]?.["cluster"]);
}

/** Writes token and authority where kubelet mounts them; each file is replaced at once, as kubelet does. @returns the token */
async function mount(
  lab: Lab,
  { account, secret }: { readonly account: string; readonly secret: string },
): Promise<string> {
  const node = lab.node("node-a");
  const token = await lab.api.requestToken(account, { secret });
  const authority = atob(String(clusterOf(lab.api.kubeconfig())["certificate-authority-data"]));
  for (const [name, text] of Object.entries({ token, "ca.crt": authority })) {
    await node.write(`${MOUNT}/..${name}`, text);
    await node.output(["mv", `${MOUNT}/..${name}`, `${MOUNT}/${name}`]);
  }
  return token;
}

async function isReady({ api }: Lab): Promise<boolean> {
  return conditionsOf(await api.get(CONFIG)).some(({ type, status }) => type === "Ready" && status === "True");
}

async function isNetworkUp({ api }: Lab): Promise<boolean> {
  const conditions = conditionsOf(await api.get("/api/v1/nodes/node-a"));
  return conditions.some(({ type, status }) => type === "NetworkUnavailable" && status === "False");
}

function conditionsOf(object: KubeObject | undefined): Record<string, unknown>[] {
  return records(record(object?.["status"])["conditions"]);
}

async function refusals(agent: AccountAgent): Promise<string[]> {
  return (await agent.own()).filter((line) => /forbidden|Unauthorized|\b40[13]\b/.test(line));
}

/** The old one is revoked by the deletion of what it is bound to: what it wrote then, it wrote with the new one. */
async function expectRotation(lab: Lab): Promise<void> {
  const { api } = lab;
  await api.apply({ apiVersion: "v1", kind: "Secret", metadata: { name: "next" } });
  await using agent = await startAs(lab, "whole");
  const old = await lab.node("node-a").read(`${MOUNT}/token`);
  await until("the agent serves the NodeConfig as it is", () => hasObserved(lab), LONG);
  await mount(lab, { account: "whole", secret: "next" });
  await api.delete("/api/v1/namespaces/default/secrets/whole");
  await until("the old token is let in no more", async () => await askAs(lab, old) === 401, LONG);
  await api.patch(CONFIG, { spec: { mtu: 1400 } });
  await until("the agent says so with the new token", () => hasObserved(lab), LONG);
  assertEquals(await refusals(agent), []);
  await api.faults.refuse();
  await api.faults.recover();
  await api.patch(CONFIG, { spec: { mtu: 1500 } });
  await until("the watches are back with the new token", () => hasObserved(lab), LONG);
  // A server that has just started has not read its roles yet, and forbids what it will allow.
  assertEquals((await refusals(agent)).filter((line) => !/ECONNREFUSED|forbidden/.test(line)), []);
  assertMatch((await agent.own()).join("\n"), /watch interrupted/);
}

async function hasObserved({ api }: Lab): Promise<boolean> {
  const config = await api.get(CONFIG);
  const ready = conditionsOf(config).find(({ type }) => type === "Ready");
  return ready?.["observedGeneration"] === record(config?.["metadata"])["generation"] && ready?.["status"] === "True";
}

/** @returns the HTTP status of the answer to the bearer of a token */
async function askAs({ api, controlPlane }: Lab, token: string): Promise<number> {
  const program = `const [url, token, ca] = Deno.args;
    const client = Deno.createHttpClient({ caCerts: [atob(ca)] });
    const answer = await fetch(url, { client, headers: { authorization: "Bearer " + token } });
    await answer.body?.cancel();
    console.log(answer.status);`;
  const { server, "certificate-authority-data": authority } = clusterOf(api.kubeconfig());
  const words = [`${server}/api/v1/pods?limit=1`, token, String(authority)];
  return Number(await controlPlane.output([Deno.execPath(), "eval", "--no-config", program, ...words]));
}
