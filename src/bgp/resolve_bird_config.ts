import { type Address, contains, hostPrefix, type Prefix, prefixOf } from "../ip/address.ts";
import type { Bgp, NodeConfig } from "../nodeconfig/node_config.ts";
import type { BirdConfig, BirdPeer } from "./bird_config.ts";
import { chooseLocalAddress, chooseSourceAddress, type NodeAddress } from "./choose_local_address.ts";
import { chooseRouterId } from "./choose_router_id.ts";

/** The state that BIRD's configuration follows from. */
export interface BirdSources {
  readonly config: Pick<NodeConfig, "cidr6" | "cidr4" | "bgp">;
  readonly nodeName: string;
  /** The node's own addresses, not those of pods' veths. */
  readonly network: { readonly addresses: readonly NodeAddress[] };
  /** The addresses of live pods' interfaces. */
  readonly liveAddresses: readonly Address[];
  /** file -> the password in it, of those that could be read. A peer whose file is not among them has no session. Default: none. */
  readonly passwords?: ReadonlyMap<string, string>;
  /** Anycast addresses that a pod of this node serves. */
  readonly anycast: readonly Address[];
}

/**
 * State to desired configuration (spec section 7). Without `bgp` it has no peers: applied, it withdraws everything and removes
 * what was learned.
 */
export function resolveBirdConfig(sources: BirdSources): BirdConfig {
  const { config, nodeName, network, liveAddresses, anycast } = sources;
  const aggregates = [...config.cidr6, ...config.cidr4];
  const peers = config.bgp?.peers.map(({ address }) => address) ?? [];
  const configured = config.bgp?.routerId;
  return {
    routerId: chooseRouterId({ ...(configured && { configured }), peers, addresses: network.addresses, nodeName }),
    peers: resolvePeers(sources),
    aggregates,
    hostRoutes: [
      // An address of a CIDR that the node no longer has stays advertised until its pod goes.
      ...liveAddresses.filter((ip) => !aggregates.some((prefix) => contains(prefix, ip))),
    ].map(hostPrefix),
    // Within an aggregate too: other nodes may serve it as well.
    anycastRoutes: anycast.map(hostPrefix),
    ...attributesOf(config.bgp),
    refusedImports: network.addresses.flatMap(connectedPrefixes),
  };
}

function attributesOf({ aggregates, anycast }: Partial<Bgp> = {}): Pick<BirdConfig, "attributes"> {
  if (aggregates === undefined && anycast === undefined) return {};
  return { attributes: { ...(aggregates && { aggregates }), ...(anycast && { anycast }) } };
}

function resolvePeers({ config: { bgp }, network: { addresses }, passwords }: BirdSources): BirdPeer[] {
  return bgp?.peers.flatMap(({ bfd, password: source, ...peer }) => {
    const password = source && passwords?.get(source.file);
    if (source !== undefined && password === undefined) return [];
    const isFar = peer.multihop !== undefined;
    const localAddress = (isFar ? chooseSourceAddress : chooseLocalAddress)(addresses, peer.address);
    const canBfd = !isFar || localAddress !== undefined;
    return {
      ...{ ...peer, localAsn: bgp.asn },
      ...(localAddress && { localAddress }),
      ...(bfd && canBfd && { bfd }),
      ...(password !== undefined && { password }),
    };
  }) ?? [];
}

function connectedPrefixes({ address, length, scope }: NodeAddress): Prefix[] {
  return scope === "link" ? [] : [prefixOf(address, length), hostPrefix(address)];
}
