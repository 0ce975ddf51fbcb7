/** A real Kubernetes in the lab's network: a control plane, and nodes with containerd 2.4, kubelet and kube-proxy. flock is not yet there. */
import { cgroupOf, removeCgroups } from "../lab/census.ts";
import type { Containerd } from "../lab/containerd.ts";
import { createLab, type Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { PAUSE_IMAGE } from "../lab/pause_image.ts";
import { until } from "../lab/until.ts";
import { type ControlPlane, startControlPlane } from "./control_plane.ts";
import type { Kubectl } from "./kubectl.ts";
import { startKubelet, startKubeProxy } from "./kubelet.ts";

/** What containers of tests run: busybox, by the name that every node has. */
export const BUSYBOX_IMAGE = PAUSE_IMAGE;

/** An archive, and the name that its image is to have on the nodes. */
export interface Image {
  readonly archive: string;
  readonly reference: string;
  /** The names that pods use. */
  readonly as: readonly string[];
}

export interface Cluster extends AsyncDisposable {
  readonly lab: Lab;
  readonly controlPlane: ControlPlane;
  readonly kubectl: Kubectl;
  /** @returns the runtime of the node of that name */
  runtime(node: string): Containerd;
  /** A power cut: everything of the node's is started again as at its first start. Resolves when the processes run, not when the node is Ready. */
  reboot(node: string): Promise<void>;
}

/**
 * Starts everything at once. Resolves when two nodes have joined; they are not Ready, for there is no network.
 *
 * @param options.assets the folder that KUBEBUILDER_ASSETS names; in it `containerd/` with containerd 2
 */
export async function startCluster(
  { assets, images }: { readonly assets: string; readonly images: readonly Promise<Image>[] },
): Promise<Cluster> {
  const lab = await createLab({ nodes: 2, api: "none", bare: true });
  try {
    const { controlPlane, runtimes } = await startEverything(lab, { assets, images });
    return {
      lab,
      controlPlane,
      kubectl: controlPlane.kubectl,
      runtime: (name) => {
        const runtime = runtimes.get(name);
        if (runtime === undefined) throw new Error(`Cannot find the runtime of ${name}: there is no such node`);
        return runtime;
      },
      reboot: async (name) => {
        runtimes.get(name)?.cri[Symbol.dispose]();
        const node = await lab.reboot(name, DISK);
        await removeCgroups(`${cgroupOf(lab.id)}/${name}`);
        runtimes.set(name, await node.startContainerd({ binDir: `${assets}/containerd` }));
        await startNode(node, { assets, lab, controlPlane });
      },
      [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
    };
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

async function startEverything(
  lab: Lab,
  { assets, images }: { readonly assets: string; readonly images: readonly Promise<Image>[] },
): Promise<{ controlPlane: ControlPlane; runtimes: Map<string, Containerd> }> {
  const dir = `${lab.dir}/cluster`;
  await Deno.mkdir(dir);
  const names = lab.nodes.map(({ name }) => name);
  const [controlPlane, ...runtimes] = await Promise.all([
    startControlPlane(lab.controlPlane, { assets, dir, nodes: names }),
    ...lab.nodes.map(async (node) => [node.name, await startRuntime(node, { assets, images })] as const),
  ]);
  await Promise.all(lab.nodes.map((node) => startNode(node, { assets, lab, controlPlane })));
  const joined = (): Promise<string> => controlPlane.kubectl.run("get", "node", ...names);
  await until("the nodes have joined", joined, { timeoutMs: 60_000, everyMs: 200 });
  return { controlPlane, runtimes: new Map(runtimes) };
}

/** What a node's disk holds. */
const DISK = [
  ...["/etc/kubernetes", "/etc/containerd", "/etc/cni/net.d", "/etc/flock", "/opt/cni/bin"],
  ...["/var/lib/flock", "/var/lib/kubelet", "/var/lib/cni", "/var/lib/containerd"],
];

async function startNode(
  node: LabNode,
  { assets, lab, controlPlane }: { readonly assets: string; readonly lab: Lab; readonly controlPlane: ControlPlane },
): Promise<void> {
  const options = { assets, controlPlane, spec: node.spec, cgroup: `${cgroupOf(lab.id)}/${node.name}` };
  await Promise.all([startKubelet(node, options), startKubeProxy(node, options)]);
}

/** Starts containerd with the images that pods need. */
async function startRuntime(
  node: LabNode,
  { assets, images }: { readonly assets: string; readonly images: readonly Promise<Image>[] },
): Promise<Containerd> {
  const binDir = `${assets}/containerd`;
  const containerd = await node.startContainerd({ binDir });
  const ctr = (...words: string[]): Promise<string> =>
    node.output([`${binDir}/ctr`, "--namespace", "k8s.io", "images", ...words], {
      timeoutMs: 120_000,
      env: { TMPDIR: "/run/containerd" },
    });
  for (const { archive, reference, as } of await Promise.all(images)) {
    await ctr("import", archive);
    await ctr("tag", reference, ...as);
  }
  return containerd;
}
