/** NetworkPolicy beside the real kube-proxy: what a Service's request may do is what the policies of both pods say. */
import { assert } from "@std/assert";
import { type ProxyMode, removeKubeProxy, startKubeProxy } from "../lab/kube_proxy.ts";
import type { Lab } from "../lab/lab.ts";
import type { KubeObject } from "../lab/lab_api.ts";
import { Mesh } from "../lab/mesh.ts";
import { CLIENT } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import { startCluster } from "./_cluster.ts";
import { makeNamespaces, runPolicyPod, underPolicies } from "./_policy_pods.ts";
import { makeService, requestsOf, SERVICE_PROTOCOLS, type ServiceRequest, TARGET_PORT } from "./_services.ts";

const ASSETS = Deno.env.get("KUBEBUILDER_ASSETS");
const MODES: readonly ProxyMode[] = ["nftables", "iptables"];
const ALL = {};

if (ASSETS === undefined) {
  const command = "KUBEBUILDER_ASSETS=DIR deno test -A tests/e2e/policy_services_linux_test.ts";
  const title =
    `policies beside kube-proxy: KUBEBUILDER_ASSETS names no folder with a kube-proxy; run it by ${command}`;
  Deno.test.ignore(title, () => {});
} else {
  Deno.test("policies beside the real kube-proxy", async (t) => {
    await using lab = await startCluster({ containerd: false, api: "real" });
    using mesh = new Mesh();
    const scene = await arrange(lab, mesh);
    for (const mode of MODES) {
      const proxies = await Promise.all(lab.nodes.map((node) => startKubeProxy(node, { assets: ASSETS, mode })));
      await t.step(`in ${mode} mode (NP-49)`, (t) => playAll(t, scene));
      await Promise.all(lab.nodes.map(async (node, index) => {
        const proxy = proxies[index];
        if (proxy !== undefined) await removeKubeProxy(node, { proxy, assets: ASSETS });
      }));
    }
  });
}

interface Scene {
  readonly lab: Lab;
  readonly mesh: Mesh;
  readonly requests: readonly ServiceRequest[];
}

/** A backend and a user on each node, and for each backend a Service of either traffic policy. */
async function arrange(lab: Lab, mesh: Mesh): Promise<Scene> {
  await makeNamespaces(lab, { shop: {}, users: {} });
  const serves = SERVICE_PROTOCOLS.map((protocol) => ({ protocol, port: TARGET_PORT }));
  const run = (namespace: string) =>
    Promise.all(lab.nodes.map((node) => {
      const name = node.name.replace("node-", "");
      return runPolicyPod({ lab, mesh }, { node, namespace, name, labels: { app: name }, serves });
    }));
  const [backends, users] = await Promise.all([run("shop"), run("users")]);
  const wanted = backends.flatMap((backend) =>
    (["Cluster", "Local"] as const).map((traffic) => ({ backend, traffic }))
  );
  const services = await Promise.all(wanted.map((service) => makeService(lab, service)));
  return { lab, mesh, requests: requestsOf(lab, { services, pods: [...backends, ...users] }) };
}

async function playAll(t: Deno.TestContext, scene: Scene): Promise<void> {
  const node = scene.lab.node("node-b");
  await t.step("without policies every Service answers", () => play(scene, {}, () => true));
  await t.step(
    "a default deny of the backends is one for their Services, but for the backend's own node (NP-28, NP-48)",
    async () => {
      await play(scene, { "shop/deny": ingress(ALL) }, () => false);
    },
  );
  await t.step("a rule is about the backend's own port, and about the pod that asks (NP-48, NP-50)", async () => {
    const from = [{ namespaceSelector: namespaced("users"), podSelector: labelled("a") }];
    const ports = [{ port: TARGET_PORT }];
    const policies = { "shop/allow": ingress(ALL, { from, ports }) };
    await play(scene, policies, ({ seen, flow }) => isPod(seen, "users/a") && flow.protocol === "tcp");
  });
  await t.step("the Service's own port means nothing (NP-48)", async () => {
    await play(scene, { "shop/allow": ingress(ALL, { ports: [{ port: 8080 }] }) }, () => false);
  });
  await t.step("a client outside is seen as itself by the node that it asks (NP-50)", async () => {
    await play(scene, { "shop/allow": ingress(ALL, { from: blocks(CLIENT) }) }, ({ seen }) => seen === "outside");
  });
  await t.step("a client outside is seen as the node that it asks, if that is not the backend's (NP-50)", async () => {
    const policies = { "shop/allow": ingress(ALL, { from: blocks(node.spec.addresses) }) };
    await play(scene, policies, ({ seen }) => seen === node);
  });
  await t.step("a pod reaches itself by its Service if it may reach itself (NP-34)", async () => {
    const policies = { "shop/allow-a": ingress(ALL, { from: [{ podSelector: labelled("a") }] }) };
    await play(scene, policies, ({ seen }) => isPod(seen, "shop/a"));
  });
  await t.step(
    "a pod without egress reaches neither others nor itself by a Service, and answers (NP-34, NP-35)",
    async () => {
      await play(scene, { "shop/silent": egress(ALL) }, ({ client }) => client?.namespace !== "shop");
    },
  );
  await t.step("egress is about the backend (NP-48)", async () => {
    const to = [{ namespaceSelector: namespaced("shop"), podSelector: labelled("b") }];
    const policies = { "users/allow": egress(ALL, { to, ports: [{ port: TARGET_PORT }] }) };
    await play(
      scene,
      policies,
      ({ client, service: { backend }, flow }) =>
        client?.namespace !== "users" || backend.key === "shop/b" && flow.protocol === "tcp",
    );
  });
  await t.step("the Services' own addresses mean nothing (NP-48)", async () => {
    const to = [{ ipBlock: { cidr: "10.96.0.0/16" } }, { ipBlock: { cidr: "fd00:96::/112" } }];
    await play(scene, { "users/allow": egress(ALL, { to }) }, ({ client }) => client?.namespace !== "users");
  });
}

/**
 * Sets the policies, waits until exactly those requests that may are answered, by their backend, and takes the policies
 * away. The backend's own node always may.
 */
async function play(
  { lab, mesh, requests }: Scene,
  policies: Readonly<Record<string, KubeObject>>,
  allows: (request: ServiceRequest) => boolean,
): Promise<void> {
  const expected = requests.map((request) => {
    const { seen, service: { backend } } = request;
    return seen !== undefined && (seen === backend.node || allows(request)) ? backend.key : undefined;
  });
  await underPolicies(lab, policies, () =>
    until("every Service answers whom it may", async () => {
      const answers = await mesh.probe(requests.map(({ flow }) => flow), (index) => expected[index] !== undefined);
      const wrong = requests.filter((_, index) => answers[index]?.by !== expected[index]);
      assert(wrong.length === 0, `otherwise than it should: ${wrong.map(({ text }) => text).join("; ")}`);
      return true;
    }, { timeoutMs: 20_000, everyMs: 50 }));
}

function isPod(seen: ServiceRequest["seen"], key: string): boolean {
  return typeof seen === "object" && "key" in seen && seen.key === key;
}

function ingress(podSelector: KubeObject, ...rules: KubeObject[]): KubeObject {
  return { podSelector, policyTypes: ["Ingress"], ingress: rules };
}

function egress(podSelector: KubeObject, ...rules: KubeObject[]): KubeObject {
  return { podSelector, policyTypes: ["Egress"], egress: rules };
}

function labelled(app: string): KubeObject {
  return { matchLabels: { app } };
}

function namespaced(name: string): KubeObject {
  return { matchLabels: { "kubernetes.io/metadata.name": name } };
}

function blocks(addresses: Readonly<Partial<Record<4 | 6, string>>>): KubeObject[] {
  return [{ ipBlock: { cidr: `${addresses[4]}/32` } }, { ipBlock: { cidr: `${addresses[6]}/128` } }];
}
