/** What nobody will ever delete, so that garbage collection must. */
import type { Member } from "./cluster.ts";
import { type NodeSight, readAllocations } from "./sight.ts";

/** A container that no answer ever named is an attempt's that failed; the runtime forgot it, with or without a DEL. */
export function oweWhatNobodyNamed({ book, kubelet }: Member, { allocations }: NodeSight): void {
  for (const { containerId } of allocations) {
    const lives = kubelet.live.some(({ sandbox }) => sandbox.id === containerId);
    if (!lives && !book.named.has(containerId)) book.debts.owe(containerId, Date.now());
  }
}

/**
 * A containerd that dies in the middle of an attempt leaves the network namespace behind, and with it the whole attachment: flock must
 * not touch what may be somebody's. Here an operator removes it, and the rest is garbage collection's.
 */
export async function reapLeakedNamespaces({ node, kubelet, book }: Member): Promise<void> {
  const names = (await node.lab.output(["ls", "/run/netns"])).split("\n").filter((name) => name.startsWith("cni-"));
  const owned = new Set(kubelet.live.map(({ sandbox }) => sandbox.netns.replace(/^.*\//, "")));
  for (const { id } of await node.cri.listSandboxes()) {
    owned.add((await node.cri.sandboxStatus(id)).netns.replace(/^.*\//, ""));
  }
  const leaked = names.filter((name) => !owned.has(name));
  if (leaked.length === 0) return;
  for (const { netns, containerId } of await readAllocations(node.lab)) {
    if (leaked.some((name) => netns.endsWith(`/${name}`))) book.debts.owe(containerId, Date.now());
  }
  for (const name of leaked) {
    await node.lab.exec([
      "sh",
      "-c",
      'for p in $(ip netns pids "$0"); do kill -9 $p; done; ip netns delete "$0"',
      name,
    ]);
  }
}
