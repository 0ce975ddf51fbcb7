/** The real kubelet on a node of an ordinary lab, no cluster around it: for what only its probes and its clock can show. */
import { cgroupOf } from "../lab/census.ts";
import { record } from "../lab/json.ts";
import type { LabApi } from "../lab/lab_api.ts";
import type { Place } from "../lab/place.ts";
import type { Daemon } from "../lab/process.ts";
import { GaveUp, until } from "../lab/until.ts";
import { makeCgroup } from "./kubelet.ts";

export interface LoneKubeletOptions {
  /** The folder with the executable `kubelet`. */
  readonly assets: string;
  /** The lab's. */
  readonly labId: string;
  /** As whose administrator it works. */
  readonly api: LabApi;
}

const DIR = "/run/kubelet";

/**
 * Two kubelets in one cgroup kill each other's pods, so it has one of its own; it sees to no quality of service. The Node is made anew: a
 * kubelet that finds one without a word on its capacity takes no pod.
 *
 * @param place with a containerd that answers. @returns once it takes pods; it ends with the place, and so do they
 */
export async function startLoneKubelet(place: Place, { assets, labId, api }: LoneKubeletOptions): Promise<Daemon> {
  const node = `/api/v1/nodes/${place.name}`;
  await api.delete(node);
  const cgroup = `${cgroupOf(labId)}/${place.name}`;
  await makeCgroup(cgroup);
  await place.write(`${DIR}/kubeconfig`, api.kubeconfig());
  await place.write(`${DIR}/config.json`, JSON.stringify(configOf(cgroup)));
  const daemon = await place.spawn("kubelet", [
    ...[`${assets}/kubelet`, "--config", `${DIR}/config.json`, "--kubeconfig", `${DIR}/kubeconfig`],
    ...["--root-dir", `${DIR}/root`, "--cert-dir", `${DIR}/pki`, "--hostname-override", place.name],
  ]);
  await until("kubelet takes pods", async () => {
    if (!daemon.running) throw new GaveUp(`Cannot start kubelet: it ended; ${(await daemon.readLog()).slice(-2000)}`);
    return Number(record(record((await api.get(node))?.["status"])["allocatable"])["pods"]) > 0;
  }, { timeoutMs: 30_000, everyMs: 100 });
  return daemon;
}

function configOf(cgroup: string): Record<string, unknown> {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: "AlwaysAllow" },
    ...{ cgroupDriver: "cgroupfs", cgroupRoot: cgroup, cgroupsPerQOS: false, enforceNodeAllocatable: [] },
    ...{ failCgroupV1: false, failSwapOn: false, localStorageCapacityIsolation: false },
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    evictionHard: { "memory.available": "1Mi", "nodefs.available": "0%", "imagefs.available": "0%" },
    imageMinimumGCAge: "24h",
    nodeStatusUpdateFrequency: "1s",
  };
}
