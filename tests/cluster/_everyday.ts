/** What clusters are used for: workloads of every kind, probes, Services, exec and logs. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { record, records } from "../lab/json.ts";
import type { KubeObject } from "../lab/lab_api.ts";
import { ping } from "../lab/probes.ts";
import { until } from "../lab/until.ts";
import type { Cluster } from "./cluster.ts";
import { busybox, type ClusterPod, readyPods, workload } from "./cluster_pod.ts";
import { STATIC_PODS } from "./kubelet.ts";

const HTTP = { port: 8080 };
const NODE_PORT = 30080;

/** A web server that says its name, with both probes; a Service of each kind in front; a set whose pods have names; a pod on the host. */
function manifests(): KubeObject[] {
  const serve =
    `mkdir -p /tmp/www && hostname >/tmp/www/index.html && echo serving && exec /bin/busybox httpd -f -p ${HTTP.port} -h /tmp/www`;
  const probe = { httpGet: { path: "/", ...HTTP }, periodSeconds: 1, timeoutSeconds: 5 };
  const service = {
    ipFamilyPolicy: "RequireDualStack",
    selector: { app: "front" },
    ports: [{ port: 80, targetPort: HTTP.port, nodePort: NODE_PORT }],
  };
  return [
    workload("Deployment", "front", {
      replicas: 2,
      containers: [busybox(serve, { readinessProbe: probe, livenessProbe: probe })],
    }),
    workload("StatefulSet", "store", { replicas: 1 }),
    workload("DaemonSet", "host", { spec: { hostNetwork: true } }),
    { apiVersion: "v1", kind: "Service", metadata: { name: "front" }, spec: { type: "NodePort", ...service } },
  ];
}

export async function expectWorkloads(cluster: Cluster): Promise<void> {
  const { kubectl, lab } = cluster;
  await kubectl.apply(manifests());
  const [node] = lab.nodes;
  await node?.write(`${STATIC_PODS}/static.json`, JSON.stringify(staticPod()));
  const [fronts, [store], hosts, [fixed]] = await Promise.all([
    readyPods(cluster, 2, "-l", "app=front"),
    readyPods(cluster, 1, "-l", "app=store"),
    readyPods(cluster, 2, "-l", "app=host"),
    readyPods(cluster, 1, "-l", "app=static"),
  ]);
  assert(store !== undefined && fixed !== undefined);
  assertEquals([store.name, fixed.name], ["store-0", `static-${node?.name}`]);
  for (const host of hosts) {
    for (const pod of [store, fixed, ...fronts]) {
      assert(await ping(host, pod.address(4)) !== undefined, `${host.name} to ${pod.name}`);
      assert(await ping(host, pod.address(6)) !== undefined, `${host.name} to ${pod.name}`);
    }
  }
  await expectExecAndLogs(cluster, fronts);
  await expectServices(cluster, { fronts, others: [store, ...hosts] });
  await expectSameName(cluster, store);
}

function staticPod(): KubeObject {
  const metadata = { name: "static", namespace: "default", labels: { app: "static" } };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata,
    spec: { terminationGracePeriodSeconds: 1, containers: [busybox()] },
  };
}

async function expectExecAndLogs({ kubectl }: Cluster, fronts: readonly ClusterPod[]): Promise<void> {
  for (const { name } of fronts) {
    assertEquals((await kubectl.run("exec", name, "--", "cat", "/tmp/www/index.html")).trim(), name);
    assertEquals((await kubectl.run("logs", name)).trim(), "serving");
  }
}

/** By both families: from pods and nodes to the ClusterIP, from a pod to itself behind it, from outside to a node's port. */
async function expectServices(
  { kubectl, lab }: Cluster,
  { fronts, others }: { readonly fronts: readonly ClusterPod[]; readonly others: readonly ClusterPod[] },
): Promise<void> {
  const { spec } = await kubectl.get("service", "front");
  const { clusterIPs } = record(spec);
  assert(Array.isArray(clusterIPs) && clusterIPs.length === 2);
  const names = fronts.map(({ name }) => name);
  const fetch = async (from: ClusterPod | Cluster["lab"]["client"], host: string): Promise<void> => {
    const said = await until(`${from.name} gets an answer of ${host}`, async () => {
      const { code, stdout } = await from.exec(["timeout", "3", "busybox", "wget", "-q", "-O", "-", `http://${host}/`]);
      return code === 0 && stdout.trim();
    });
    assertStringIncludes(names.join(), said);
  };
  for (const ip of clusterIPs.map(String)) {
    for (const from of [...fronts, ...others]) await fetch(from, ip.includes(":") ? `[${ip}]` : ip);
  }
  for (const { spec } of lab.nodes) {
    await fetch(lab.client, `${spec.addresses[4]}:${NODE_PORT}`);
    await fetch(lab.client, `[${spec.addresses[6]}]:${NODE_PORT}`);
  }
}

/** A StatefulSet's pod comes again under its name, and is another one. */
async function expectSameName(cluster: Cluster, old: ClusterPod): Promise<void> {
  const uid = async (): Promise<unknown> => record((await cluster.kubectl.get("pod", old.name))["metadata"])["uid"];
  const before = await uid();
  await cluster.kubectl.run("delete", "pod", old.name, "--wait=false");
  await until("the pod is another one", async () => await uid() !== before, { timeoutMs: 30_000, everyMs: 100 });
  const [young] = await readyPods(cluster, 1, "-l", "app=store");
  assert(young !== undefined && young.address(6) !== old.address(6));
  assert(await ping(cluster.lab.client, young.address(4)) !== undefined);
}

/** Removes all pods; the static one goes with its file. */
export async function removeWorkloads(cluster: Cluster): Promise<void> {
  const { kubectl, lab } = cluster;
  // Whose pods the garbage collector would delete: after an API server that came back it may take a minute.
  await kubectl.run("delete", "deployments,statefulsets,daemonsets", "--all", "--cascade=orphan");
  await kubectl.run("delete", "replicasets,services", "--all", "--cascade=orphan");
  await lab.nodes[0]?.output(["rm", "-f", `${STATIC_PODS}/static.json`]);
  await kubectl.run("delete", "pods", "--all", "--wait=false");
  await until("all pods are gone", async () => {
    const { items } = await kubectl.get("pod");
    return records(items).length === 0;
  }, { timeoutMs: 60_000, everyMs: 200 });
}
