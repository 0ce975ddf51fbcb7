/** The binaries that a real cluster is made of. */

const NEEDED = [
  ...["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubelet", "kube-proxy"],
  "containerd/containerd",
];

export interface ClusterAssets {
  /** The folder that KUBEBUILDER_ASSETS names; empty without. */
  readonly directory: string;
  /** What is not there; with anything in it there is no cluster. */
  readonly missing: readonly string[];
}

export function findClusterAssets(): ClusterAssets {
  const directory = Deno.env.get("KUBEBUILDER_ASSETS") ?? "";
  return { directory, missing: NEEDED.filter((name) => directory === "" || !isFile(`${directory}/${name}`)) };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
