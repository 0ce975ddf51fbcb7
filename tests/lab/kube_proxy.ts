/** The real kube-proxy on a node of the lab, set up as flock asks operators to. */
import { KUBECONFIG, type LabNode } from "./node.ts";
import type { Daemon } from "./process.ts";
import { GaveUp, until } from "./until.ts";

export type ProxyMode = "nftables" | "iptables";

export interface KubeProxyOptions {
  /** The folder that KUBEBUILDER_ASSETS names. */
  readonly assets: string;
  readonly mode: ProxyMode;
  /** A file of the node. */
  readonly kubeconfig: string;
  readonly nodeName: string;
}

const HEALTHZ = "http://127.0.0.1:10256/healthz";

/** @returns its command line: pod traffic is what comes from a link of flock's */
export function kubeProxyArgv({ assets, mode, kubeconfig, nodeName }: KubeProxyOptions): string[] {
  return [
    ...[`${assets}/kube-proxy`, "--kubeconfig", kubeconfig, "--hostname-override", nodeName, "--proxy-mode", mode],
    ...["--detect-local-mode", "InterfaceNamePrefix", "--pod-interface-name-prefix", "flock"],
    ...["--conntrack-max-per-core", "0"],
  ];
}

/** @returns once it has heard of the Services; it may still be writing its rules */
export async function startKubeProxy(
  node: LabNode,
  { assets, mode }: Pick<KubeProxyOptions, "assets" | "mode">,
): Promise<Daemon> {
  const argv = kubeProxyArgv({ assets, mode, kubeconfig: KUBECONFIG, nodeName: node.name });
  const proxy = await node.spawn(`kube-proxy-${mode}`, argv);
  await until("kube-proxy is healthy", async () => {
    if (!proxy.running) throw new GaveUp(`Cannot start kube-proxy: ${(await proxy.readLog()).slice(-2000)}`);
    return (await node.exec(["busybox", "wget", "-q", "-O", "-", HEALTHZ])).code === 0;
  }, { timeoutMs: 30_000, everyMs: 100 });
  return proxy;
}

/** Ends it, and takes its rules away. */
export async function removeKubeProxy(
  node: LabNode,
  { proxy, assets }: { readonly proxy: Daemon; readonly assets: string },
): Promise<void> {
  await proxy.stop("SIGTERM");
  await node.output([`${assets}/kube-proxy`, "--cleanup"], { timeoutMs: 30_000 });
}
