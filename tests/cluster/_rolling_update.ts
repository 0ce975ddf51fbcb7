/** The DaemonSet is replaced, node by node, and nobody notices. */
import { assertEquals, assertGreater, assertNotEquals } from "@std/assert";
import { record, records } from "../lab/json.ts";
import { watchRoutes } from "../lab/route_watch.ts";
import type { Cluster } from "./cluster.ts";
import type { ClusterPod } from "./cluster_pod.ts";
import { startEchoLoad } from "./echo_load.ts";
import { NAMESPACE, untilRolledOut } from "./flock.ts";

/** What became of a rolling update. */
export interface UpdateReport {
  readonly sent: number;
  /** When the last answer before each loss came, in seconds since the epoch. */
  readonly lostAfter: readonly number[];
  readonly seconds: number;
}

/** Under a thousand questions a second from the client and between the pods, which are on different nodes and serve ANYCAST. */
export async function updateUnderLoad(
  cluster: Cluster,
  [one, other]: readonly [ClusterPod, ClusterPod],
): Promise<UpdateReport> {
  const { lab, kubectl } = cluster;
  await lab.router.waitForPaths(`${ANYCAST[0]}/32`, lab.nodes.length);
  await lab.router.waitForPaths(`${ANYCAST[1]}/128`, lab.nodes.length);
  const loads = await Promise.all([
    startEchoLoad(lab.client, one.address(6)),
    startEchoLoad(lab.client, ANYCAST[0]),
    startEchoLoad(one, other.address(6)),
    startEchoLoad(other, one.address(4)),
  ]);
  const began = performance.now();
  await kubectl.run("rollout", "restart", "daemonset/flock", "-n", NAMESPACE);
  await untilRolledOut(cluster);
  const seconds = (performance.now() - began) / 1000;
  const reports = await Promise.all(loads.map((load) => load.stop()));
  for (const { sent } of reports) assertGreater(sent, 100 * seconds); // a busy machine's ping does not come to ten times that
  return {
    sent: reports.reduce((sum, report) => sum + report.sent, 0),
    lostAfter: reports.flatMap(({ lostAfter }) => lostAfter),
    seconds,
  };
}

/** No packet is lost, no route withdrawn, and no node or pod is not Ready for a while. @returns what to tell of it */
export async function expectUnnoticedUpdate(
  cluster: Cluster,
  pods: readonly [ClusterPod, ClusterPod],
): Promise<string> {
  const { lab } = cluster;
  const before = await flockPods(cluster);
  const readiness = await readySince(cluster);
  await using watches = new AsyncDisposableStack();
  const kernels = [lab.router, ...lab.nodes];
  const changes = await Promise.all(kernels.map(async (place) => watches.use(await watchRoutes(place))));
  const { lostAfter, sent, seconds } = await updateUnderLoad(cluster, pods);
  assertEquals(lostAfter, []);
  for (const [index, watch] of changes.entries()) {
    const deleted = (await watch.events()).filter(({ deleted, prefix }) => deleted && isPodPrefix(cluster, prefix));
    assertEquals(deleted, [], `${kernels[index]?.name} lost a route`);
  }
  assertEquals(await readySince(cluster), readiness, "a node or a pod was not Ready for a while");
  const after = await flockPods(cluster);
  assertEquals(after.length, before.length);
  for (const name of after) assertNotEquals(before.includes(name), true, `${name} was replaced`);
  await expectSessions(cluster);
  return `rolling update of ${after.length} nodes in ${seconds.toFixed(1)} s: 0 of ${sent} echo requests lost`;
}

/** Since when each node and each pod of the tests is Ready: a node that is not takes its pods out of Services and out of BGP. */
async function readySince({ kubectl }: Cluster): Promise<string[]> {
  const objects = [await kubectl.get("nodes"), await kubectl.get("pods")].flatMap(({ items }) => records(items));
  return objects.map(({ metadata, status }) => {
    const ready = records(record(status)["conditions"]).find(({ type }) => type === "Ready");
    return `${record(metadata)["name"]} ${ready?.["status"]} ${ready?.["lastTransitionTime"]}`;
  });
}

async function flockPods({ kubectl }: Cluster): Promise<string[]> {
  const { items } = await kubectl.get("pod", "-n", NAMESPACE);
  return records(items).map(({ metadata }) => String(record(metadata)["name"]));
}

/** The addresses that pods of both nodes serve meanwhile. */
export const ANYCAST = ["203.0.113.200", "2001:db8:a::80"] as const;

/** What could be withdrawn: the nodes' prefixes, and what their pods serve. */
function isPodPrefix({ lab }: Cluster, prefix: string): boolean {
  const cidrs = lab.nodes.flatMap(({ spec }) => [spec.cidr4, spec.cidr6]);
  return [...cidrs, `${ANYCAST[0]}/32`, `${ANYCAST[1]}/128`].includes(prefix);
}

/** Every session is up, on both ends. */
export async function expectSessions({ lab }: { readonly lab: Cluster["lab"] }): Promise<void> {
  const neighbors = await lab.router.neighbors();
  assertEquals(neighbors.map(({ state }) => state), lab.nodes.flatMap(() => ["Established", "Established"]));
}
