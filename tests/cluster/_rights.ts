/** What the agent may do in the cluster, and what it did. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { BAD_NODE_CONFIGS } from "../../src/nodeconfig/testdata/bad_node_configs.ts";
import { record, records } from "../lab/json.ts";
import { bundled } from "../manifest/objects.ts";
import type { Cluster } from "./cluster.ts";
import { NAMESPACE } from "./flock.ts";
import { renderList } from "./kubectl.ts";

const USER = `system:serviceaccount:${NAMESPACE}:flock`;

/** Rights for what a healthy cluster may go without: a pod that no watch has, an Event that happened before, a policy. */
const OCCASIONAL = [
  ...["pods get", "events create", "events get", "events patch", "namespaces list", "namespaces watch"],
  ...["networking.k8s.io/networkpolicies list", "networking.k8s.io/networkpolicies watch"],
];

/** The API server refuses every NodeConfig that is bad, naming the field, with the message that the README shows. */
export async function expectBadNodeConfigsRefused({ kubectl }: Cluster): Promise<void> {
  const objects = BAD_NODE_CONFIGS.map(({ spec }, index) => ({
    apiVersion: "flock.fritzlab.net/v1alpha1",
    kind: "NodeConfig",
    metadata: { name: `bad-${index}` },
    spec,
  }));
  const complaints = await kubectl.refused(["create", "--validate=false", "-f", "-"], renderList(objects));
  for (const [index, { title, field }] of BAD_NODE_CONFIGS.entries()) {
    const complaint = complaints.split("\n").find((line) => line.includes(`"bad-${index}"`)) ?? "";
    assertStringIncludes(complaint, field.replace(/\[\d+\].*/, ""), title);
    assertMatch(complaint, /must|should|may not|needs|leave|Required|supported values/, title);
  }
  const shown = { ...objects[0], metadata: { name: "node-a" }, spec: { cidr4: ["203.0.113.1/24"] } };
  const complaint = await kubectl.refused(["create", "-f", "-"], JSON.stringify(shown));
  assertStringIncludes(await Deno.readTextFile(new URL("../../README.md", import.meta.url)), complaint.trim());
}

/** As the API server itself says it, beside what everybody may. */
export async function expectRights({ kubectl }: Cluster): Promise<void> {
  const said = await kubectl.run("auth", "can-i", "--list", "--namespace", "default", "--as", USER);
  const resources = said.split("\n").slice(1).filter((line) => !/^\s|selfsubject|^$/.test(line));
  assertEquals(resources.map((line) => line.replaceAll(/\s+/g, " ").trim()).sort(), [
    "events [] [] [create get patch]",
    "namespaces [] [] [list watch]",
    "networkpolicies.networking.k8s.io [] [] [list watch]",
    "nodeconfigs.flock.fritzlab.net [] [] [list watch]",
    "nodeconfigs.flock.fritzlab.net/status [] [] [patch]",
    "nodes/status [] [] [patch]",
    "pods [] [] [get list watch]",
  ]);
}

/** With the token of an agent: of its own node what it has to say, of that and of others nothing else. */
export async function expectOwnNodeOnly(cluster: Cluster): Promise<void> {
  const { kubectl, lab } = cluster;
  const [own, other] = lab.nodes.map(({ name }) => name);
  const { items } = await kubectl.get("pod", "-n", NAMESPACE, "--field-selector", `spec.nodeName=${own}`);
  const agent = String(record(records(items)[0]?.["metadata"])["name"]);
  const bound = ["--bound-object-kind", "Pod", "--bound-object-name", agent];
  const token = (await kubectl.run("create", "token", "flock", "-n", NAMESPACE, ...bound)).trim();
  const patch = (path: string, body: unknown): Promise<Answer> => patchStatus(cluster, { token, path, body });
  const node = (name: string | undefined): string => `/api/v1/nodes/${name}`;
  const config = (name: string | undefined): string => `/apis/flock.fritzlab.net/v1alpha1/nodeconfigs/${name}`;
  const condition = (type: string): unknown => ({
    status: { conditions: [{ type, status: "False", reason: "FlockReady", message: "of a test" }] },
  });
  assertEquals((await patch(node(own), condition("NetworkUnavailable"))).status, 200);
  assertEquals((await patch(config(own), { status: { advertised: [] } })).status, 200);
  const refusals: readonly [string, unknown, RegExp][] = [
    [node(other), condition("NetworkUnavailable"), /own node only/],
    [config(other), { status: { advertised: [] } }, /own node only/],
    [node(own), condition("Ready"), /NetworkUnavailable only/],
    [node(own), { status: { capacity: { "example.com/cake": "1" } } }, /conditions only/],
    [node(own), { metadata: { labels: { tier: "front" } } }, /labels, annotations/],
    [node(own), { metadata: { annotations: { note: "x" } } }, /labels, annotations/],
  ];
  for (const [path, body, why] of refusals) {
    const { status, message } = await patch(path, body);
    assertEquals(status, 422, `${path} ${JSON.stringify(body)}: ${message}`);
    assertMatch(message, why);
  }
}

interface Answer {
  readonly status: number;
  readonly message: string;
}

/** By hand: kubectl reads what it patches, which no agent may. */
async function patchStatus(
  { lab, controlPlane }: Cluster,
  { token, path, body }: { readonly token: string; readonly path: string; readonly body: unknown },
): Promise<Answer> {
  const program = `const [url, authorization, type, body, ca] = Deno.args;
    const client = Deno.createHttpClient({ caCerts: [Deno.readTextFileSync(ca)] });
    const headers = { authorization, "content-type": type };
    const answer = await fetch(url, { client, method: "PATCH", headers, body });
    console.log(JSON.stringify({ status: answer.status, message: (await answer.json()).message ?? "" }));`;
  const type = `application/${path.startsWith("/api/") ? "strategic-merge-patch" : "merge-patch"}+json`;
  const words = [
    `${controlPlane.url}${path}/status`,
    `Bearer ${token}`,
    type,
    JSON.stringify(body),
    controlPlane.caFile,
  ];
  return JSON.parse(await lab.controlPlane.output([Deno.execPath(), "eval", "--no-config", program, ...words]));
}

/** All that the agents asked for was granted, and all that is granted was asked for. */
export async function expectExactlyUsed({ controlPlane }: Cluster): Promise<void> {
  const requests = await controlPlane.requestsOf(USER);
  assert(requests.length > 0, "no agent asked for anything: the test proves nothing");
  assertEquals(requests.filter(({ code }) => code === 403), []);
  const used = new Set(requests.map(({ resource, verb }) => `${resource} ${verb}`));
  const rules = records((await bundled("ClusterRole"))["rules"]);
  const granted = rules.flatMap(({ apiGroups, resources, verbs }) =>
    [resources, verbs].every(Array.isArray) && Array.isArray(apiGroups) && Array.isArray(resources) &&
      Array.isArray(verbs)
      ? verbs.map((verb) => `${apiGroups[0] === "" ? "" : `${apiGroups[0]}/`}${resources[0]} ${verb}`)
      : []
  );
  assertEquals(granted.filter((right) => !used.has(right) && !OCCASIONAL.includes(right)), []);
  assertEquals([...used].filter((right) => !granted.includes(right)), []);
}
