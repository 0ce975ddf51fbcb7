import type { HostNetwork } from "../host/host_driver.ts";
import { contains, prefixOf } from "../ip/address.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";

/** Ethernet's, for a node that has neither peers nor a default route. */
const FALLBACK_MTU = 1500;

/**
 * The MTU of pods: `spec.mtu`, else that of the uplink (spec section 6). The uplink is the link towards the BGP peers, else that
 * of the default route; of several, the smallest counts, so that no pod sends what a way out cannot carry.
 *
 * @returns bytes
 */
export function chooseMtu(config: NodeConfig, network: HostNetwork): number {
  if (config.mtu !== undefined) return config.mtu;
  const towardsPeers = network.addresses.filter(({ address, length }) =>
    config.bgp?.peers.some((peer) => contains(prefixOf(address, length), peer.address))
  );
  const uplinks = towardsPeers.length > 0 ? towardsPeers : network.defaultRoutes;
  const mtus = uplinks.flatMap(({ link }) => network.mtus.get(link) ?? []);
  return mtus.length > 0 ? Math.min(...mtus) : FALLBACK_MTU;
}
