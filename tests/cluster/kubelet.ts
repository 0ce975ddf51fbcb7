/** kubelet and kube-proxy on a node of the lab. */
import { kubeProxyArgv } from "../lab/kube_proxy.ts";
import type { Place } from "../lab/place.ts";
import type { Daemon } from "../lab/process.ts";
import type { NodeSpec } from "../lab/topology.ts";
import { exists } from "../lab/until.ts";
import type { ControlPlane } from "./control_plane.ts";

export interface KubeletOptions {
  /** The folder that KUBEBUILDER_ASSETS names. */
  readonly assets: string;
  readonly controlPlane: ControlPlane;
  readonly spec: NodeSpec;
  /** Below which all of the node's pods are, from the root of each hierarchy: two kubelets in one cgroup kill each other's pods. */
  readonly cgroup: string;
}

/** Where kubelet looks for static pods. */
export const STATIC_PODS = "/etc/kubernetes/manifests";

const CGROUP_ROOT = "/sys/fs/cgroup";
const DIR = "/etc/kubernetes";

/** Starts kubelet; containerd must run. The node joins by itself. */
export async function startKubelet(place: Place, options: KubeletOptions): Promise<Daemon> {
  const { assets, controlPlane, spec, cgroup } = options;
  await makeCgroup(cgroup);
  await place.output(["mkdir", "-p", STATIC_PODS]);
  await place.write(`${DIR}/kubelet.kubeconfig`, controlPlane.kubeconfig(`system:node:${spec.name}`));
  await place.write(`${DIR}/kubelet.json`, JSON.stringify(kubeletConfiguration(options)));
  return await place.spawn("kubelet", [
    ...[`${assets}/kubelet`, "--config", `${DIR}/kubelet.json`, "--kubeconfig", `${DIR}/kubelet.kubeconfig`],
    ...["--hostname-override", spec.name, "--node-ip", Object.values(spec.addresses).join()],
  ]);
}

/** Starts kube-proxy as flock wants it: pod traffic is what comes from a link of flock's. */
export async function startKubeProxy(place: Place, { assets, controlPlane, spec }: KubeletOptions): Promise<Daemon> {
  await place.write(`${DIR}/proxy.kubeconfig`, controlPlane.kubeconfig("system:kube-proxy"));
  const options = { assets, mode: "nftables", kubeconfig: `${DIR}/proxy.kubeconfig`, nodeName: spec.name } as const;
  return await place.spawn("kube-proxy", kubeProxyArgv(options));
}

function kubeletConfiguration({ controlPlane, cgroup }: KubeletOptions): Record<string, unknown> {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: controlPlane.caFile },
    },
    authorization: { mode: "Webhook" },
    cgroupDriver: "cgroupfs",
    cgroupRoot: cgroup,
    failCgroupV1: false,
    failSwapOn: false,
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    // The machine's disk is not the lab's matter.
    imageMinimumGCAge: "24h",
    evictionHard: { "memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
    localStorageCapacityIsolation: false,
    clusterDNS: ["10.96.0.10"],
    clusterDomain: "cluster.local",
    staticPodPath: STATIC_PODS,
  };
}

/** Version 1 has one hierarchy below each directory of the root; of these cpuset wants to be told what there is. */
export async function makeCgroup(path: string): Promise<void> {
  if (await exists(`${CGROUP_ROOT}/cgroup.controllers`)) return await makeUnifiedCgroup(path);
  for await (const { name, isDirectory } of Deno.readDir(CGROUP_ROOT)) {
    if (isDirectory) await Deno.mkdir(`${CGROUP_ROOT}/${name}${path}`, { recursive: true });
  }
  for (const ancestor of ancestorsOf(path)) {
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      await copy(`${CGROUP_ROOT}/cpuset/${file}`, `${CGROUP_ROOT}/cpuset${ancestor}/${file}`);
    }
  }
}

async function makeUnifiedCgroup(path: string): Promise<void> {
  await Deno.mkdir(`${CGROUP_ROOT}${path}`, { recursive: true });
  for (const ancestor of ["", ...ancestorsOf(path)]) {
    const controllers = (await Deno.readTextFile(`${CGROUP_ROOT}${ancestor}/cgroup.controllers`)).trim().split(" ");
    const all = controllers.map((controller) => `+${controller}`).join(" ");
    await Deno.writeTextFile(`${CGROUP_ROOT}${ancestor}/cgroup.subtree_control`, all, { create: false });
  }
}

/** `/a/b` -> `/a`, `/a/b` */
function ancestorsOf(path: string): string[] {
  const parts = path.split("/").slice(1);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("/")}`);
}

async function copy(from: string, to: string): Promise<void> {
  const text = await Deno.readTextFile(from).catch(() => undefined);
  if (text !== undefined) await Deno.writeTextFile(to, text, { create: false });
}
