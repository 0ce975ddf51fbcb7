/** The floor of a pod's packet path: what flock makes for one, as two batches for iproute2 and nothing around them. Pure. */

/** A link with its addresses, in the pod and in the node. */
export interface BareLink {
  readonly hostLink: string;
  /** Name of the pod's namespace below /run/netns. */
  readonly netns: string;
  readonly ipv6: string;
  readonly ipv4: string;
  readonly mtu: number;
}

const HOST_MAC = "02:00:5e:00:53:01";
const POD_MAC = "02:00:5e:00:53:02";

/** @returns the batch for the node's namespace, to be run first */
export function renderHostEnd({ hostLink, netns, ipv6, ipv4, mtu }: BareLink): string {
  const peer = `peer name eth0 mtu ${mtu} address ${POD_MAC} netns ${netns}`;
  return lines([
    `link add ${hostLink} mtu ${mtu} address ${HOST_MAC} type veth ${peer}`,
    `link set ${hostLink} addrgenmode none`,
    `link set ${hostLink} up`,
    `address add fe80::1/64 dev ${hostLink} nodad`,
    `route add ${ipv6}/128 dev ${hostLink}`,
    `route add ${ipv4}/32 dev ${hostLink}`,
    `neigh add ${ipv6} lladdr ${POD_MAC} dev ${hostLink} nud permanent`,
    `neigh add ${ipv4} lladdr ${POD_MAC} dev ${hostLink} nud permanent`,
  ]);
}

/** @returns the batch for the pod's namespace */
export function renderPodEnd({ ipv6, ipv4 }: BareLink): string {
  return lines([
    "link set eth0 addrgenmode none",
    "link set eth0 up",
    `address add ${ipv6}/128 dev eth0 nodad`,
    `address add ${ipv4}/32 dev eth0`,
    `neigh add fe80::1 lladdr ${HOST_MAC} dev eth0 nud permanent`,
    `neigh add 169.254.1.1 lladdr ${HOST_MAC} dev eth0 nud permanent`,
    "route add ::/0 via fe80::1 dev eth0",
    "route add 0.0.0.0/0 via 169.254.1.1 dev eth0 onlink",
  ]);
}

function lines(all: readonly string[]): string {
  return `${all.join("\n")}\n`;
}
