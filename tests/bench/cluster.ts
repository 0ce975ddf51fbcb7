/** All that is measured on a real cluster: one node is flock's, the other one bridge's, until that one comes over too. */
import type { Screen } from "../demo/screen.ts";
import { ANYCAST, updateUnderLoad } from "../cluster/_rolling_update.ts";
import { findClusterAssets } from "../cluster/assets.ts";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import { readyPods, workload } from "../cluster/cluster_pod.ts";
import { admitNodes, admitShownNode, flockImage, installFlock, layDesk } from "../cluster/flock.ts";
import { onInterrupt } from "../lab/on_interrupt.ts";
import { FRR_STARTS_MS } from "../lab/router.ts";
import type { LabNode } from "../lab/node.ts";
import { until } from "../lab/until.ts";
import { POD_STARTS_PROGRAM, type PodStarts, type PodStartsPlan } from "./pod_starts.ts";
import type { SampleBook } from "./statistics.ts";

interface Bench {
  readonly book: SampleBook;
  readonly screen: Screen;
}

const ROUNDS = 30;
const BURSTS = 3;
const AT_ONCE = 50;
/** The longest that the program which measures pods may take. */
const TIMEOUT_MS = 30 * 60_000;
const CONFLIST = "/etc/cni/net.d/10-bridge.conflist";
const PLUGINS = ["bridge", "host-local"];

/** @returns why there can be no cluster here; undefined when there can */
export function missingForCluster(): string | undefined {
  const { missing } = findClusterAssets();
  if (missing.length === 0) return undefined;
  return `a real cluster, for want of ${missing.join(", ")}; run: KUBEBUILDER_ASSETS=DIR npx -y deno@2.9.6 task bench`;
}

/** Needs dist/flock, of which it makes the image. @throws when binaries are missing */
export async function measureCluster(_flock: string, bench: Bench): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "flock-bench-cluster-" });
  try {
    const images = [flockImage(work)];
    const { directory: assets } = findClusterAssets();
    const cluster = await bench.screen.step("a cluster of two nodes", () => startCluster({ assets, images }));
    const interrupted = onInterrupt(() => cluster[Symbol.asyncDispose]());
    try {
      await measureAll(cluster, { ...bench, work });
    } finally {
      interrupted[Symbol.dispose]();
      await cluster[Symbol.asyncDispose]();
    }
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function measureAll(cluster: Cluster, { book, screen, work }: Bench & { readonly work: string }): Promise<void> {
  const [own, other] = [cluster.lab.node("node-a"), cluster.lab.node("node-b")];
  book.add("install", await screen.step("flock comes to a node", () => install(cluster, work)));
  await screen.step("bridge on the other one", () => installBridge(cluster, other));
  const plan: PodStartsPlan = {
    kubeconfig: cluster.controlPlane.kubeconfig("admin"),
    nodes: { flock: own.name, bridge: other.name },
    ...{ rounds: ROUNDS, bursts: BURSTS, atOnce: AT_ONCE },
  };
  const starts = await screen.step("pods, one and fifty at once, in turns", () => startPods(cluster, plan));
  for (const [name, samples] of Object.entries(starts)) for (const ms of samples) book.add(name, ms);
  const { lostAfter, seconds } = await screen.step("rolling update under load", () => update(cluster, other));
  book.add("update-lost", lostAfter.length);
  book.add("update", seconds * 1000);
}

/** The README's steps, with a pod that waits for the node. @returns milliseconds from the first command until it is Running */
async function install(cluster: Cluster, work: string): Promise<number> {
  const desk = await layDesk(cluster, work);
  await cluster.kubectl.apply([
    workload("DaemonSet", "web", { annotations: { "flock.fritzlab.net/anycast": ANYCAST.join() } }),
  ]);
  const began = performance.now();
  await installFlock(cluster, desk);
  await admitShownNode(cluster, desk);
  await readyPods(cluster, 1, "-l", "app=web", "--field-selector", "status.phase=Running");
  return performance.now() - began;
}

async function installBridge({ kubectl }: Cluster, node: LabNode): Promise<void> {
  for (const plugin of PLUGINS) await node.output(["ln", "-s", `/usr/lib/cni/${plugin}`, `/opt/cni/bin/${plugin}`]);
  const ipam = { type: "host-local", ranges: [[{ subnet: "10.244.0.0/24" }]] };
  const plugins = [{ type: "bridge", bridge: "cni0", isGateway: true, ipam }];
  await node.write(CONFLIST, JSON.stringify({ cniVersion: "1.0.0", name: "bridge", plugins }));
  await kubectl.run("wait", "--for=condition=Ready", "node", node.name, "--timeout=60s");
}

async function startPods({ lab }: Cluster, plan: PodStartsPlan): Promise<PodStarts> {
  const argv = [Deno.execPath(), "run", "--quiet", "--allow-all", "--cached-only", POD_STARTS_PROGRAM];
  return JSON.parse(await lab.controlPlane.output([...argv, JSON.stringify(plan)], { timeoutMs: TIMEOUT_MS }));
}

/** The other node becomes flock's first. */
async function update(cluster: Cluster, node: LabNode): ReturnType<typeof updateUnderLoad> {
  const { kubectl, lab } = cluster;
  await node.output(["rm", CONFLIST]);
  await admitNodes(cluster, node.name);
  await until(
    "flock has the node",
    async () => (await node.exec(["test", "-e", "/etc/cni/net.d/01-flock.conflist"])).code === 0,
    { timeoutMs: 60_000 },
  );
  await kubectl.run("rollout", "status", "daemonset/flock", "-n", "flock-system", "--timeout=55s");
  await kubectl.run("rollout", "restart", "daemonset/web");
  await kubectl.run("rollout", "status", "daemonset/web", "--timeout=55s");
  const [one, two] = await readyPods(cluster, 2, "-l", "app=web");
  if (one === undefined || two === undefined) throw new Error("Cannot update under load: there are no pods");
  await until("FRR does not restart any more", () => performance.now() - lab.router.startedAt > FRR_STARTS_MS, {
    timeoutMs: FRR_STARTS_MS,
    everyMs: 100,
  });
  return await updateUnderLoad(cluster, [one, two]);
}
