import type { Address } from "../ip/address.ts";
import { parseAddress } from "../ip/address.ts";
import type { Allocation } from "../ipam/allocation.ts";
import type { Attachment } from "../link/attachment_driver.ts";
import { inForceOf } from "../nodeconfig/in_force_of.ts";
import type { NodeConfigInForce, PeerSnapshot, PodSnapshot } from "../snapshot/agent_snapshot.ts";
import { type Gathered, seen } from "./sources.ts";

/** What the node should be, by the word of whoever knows best. */
export interface Belief {
  /** The agent, or where it does not answer what it has left on the disk; `nothing`: neither is there. */
  readonly from: "agent" | "files" | "nothing";
  readonly node: string | undefined;
  readonly pods: readonly PodSnapshot[];
  readonly nodeConfig: NodeConfigInForce | undefined;
}

/** @param gathered with `agent` and `files` */
export function beliefOf(gathered: Gathered): Belief {
  const agent = seen(gathered.agent);
  if (agent !== undefined) {
    return { from: "agent", node: agent.node, pods: agent.pods, nodeConfig: agent.nodeConfig.inForce };
  }
  const { state, nodeConfig } = seen(gathered.files) ?? {};
  const node = state?.nodeName ?? nodeConfig?.name;
  return {
    from: state === undefined && nodeConfig === undefined ? "nothing" : "files",
    node,
    pods: [...state?.state.allocations.values() ?? []].map(podOf),
    nodeConfig: nodeConfig === undefined ? undefined : inForceOf(nodeConfig),
  };
}

/** @returns `namespace/name`, or the container where the runtime named no pod */
export function nameOf({ namespace, name, containerId }: PodSnapshot): string {
  return name === undefined ? `container ${containerId.slice(0, 12)}` : `${namespace}/${name}`;
}

/** Says whether routes to the address or prefix travel over the session with the peer. */
export function carries({ address, extendedNextHop }: PeerSnapshot, prefix: string): boolean {
  return extendedNextHop === true || address.includes(":") === prefix.includes(":");
}

/** @returns the pod's packet path as its driver makes it */
export function attachmentOf(pod: PodSnapshot): Attachment {
  const { containerId, ifname, netns, netnsId, network, hostLink, podMac, mtu, addresses, anycast } = pod;
  return {
    ...{ containerId, ifname, netns, hostLink, podMac, mtu },
    ...(netnsId === undefined ? {} : { netnsId }),
    ...(network === undefined ? {} : { network }),
    addresses: parseAll(addresses),
    anycast: parseAll(anycast.map(({ address }) => address)),
  };
}

function parseAll(texts: readonly string[]): Address[] {
  return texts.flatMap((text) => parseAddress(text) ?? []);
}

/** Whether an address was advertised only the agent knows, who is away: nothing is said of it. */
function podOf(allocation: Allocation): PodSnapshot {
  const { pod, ipv6, ipv4, secondary = [], anycast = [], createdAt, netnsId, network, ready } = allocation;
  const { containerId, ifname, netns, hostLink, podMac, mtu, state } = allocation;
  return {
    ...(pod === undefined ? {} : { namespace: pod.namespace, name: pod.name, uid: pod.uid }),
    ...{ containerId, ifname, netns, hostLink, podMac, mtu, state },
    ...(netnsId === undefined ? {} : { netnsId }),
    ...(network === undefined ? {} : { network }),
    addresses: [ipv6, ipv4, ...secondary].filter((text) => text !== undefined),
    since: new Date(createdAt).toISOString(),
    ...(anycast.length === 0 ? {} : { ready: ready === true }),
    anycast: anycast.map((address) => ({ address, advertised: ready === true, reason: "unknown" })),
  };
}
