/** The real kube-proxy on a node of the lab, set up as flock asks operators to. */
import { KUBECONFIG, type LabNode } from "./node.ts";
import type { Daemon } from "./process.ts";
import { GaveUp, until } from "./until.ts";

export type ProxyMode = "nftables" | "iptables";

const HEALTHZ = "http://127.0.0.1:10256/healthz";

/** @param assets the folder that KUBEBUILDER_ASSETS names. @returns once it has written its rules for the first time */
export async function startKubeProxy(
  node: LabNode,
  { assets, mode }: { readonly assets: string; readonly mode: ProxyMode },
): Promise<Daemon> {
  const proxy = await node.spawn(`kube-proxy-${mode}`, [
    ...[`${assets}/kube-proxy`, "--kubeconfig", KUBECONFIG, "--hostname-override", node.name, "--proxy-mode", mode],
    ...["--detect-local-mode", "InterfaceNamePrefix", "--pod-interface-name-prefix", "flock"],
    ...["--conntrack-max-per-core", "0"],
  ]);
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
