import type { Bgp, NodeConfig, RouteAttributes } from "./node_config.ts";

/** @returns the object that `parseNodeConfig` reads as this NodeConfig */
export function renderNodeConfig(config: NodeConfig): Record<string, unknown> {
  const { name, uid, generation, createdAt, ipAlgo, defaults, mtu, portmap, logLevel, metrics, bgp } = config;
  return {
    apiVersion: "flock.fritzlab.net/v1alpha1",
    kind: "NodeConfig",
    metadata: {
      name,
      uid,
      generation,
      creationTimestamp: new Date(createdAt).toISOString(),
      ...(ipAlgo === undefined ? {} : { annotations: { "flock.fritzlab.net/ip-algo": ipAlgo } }),
    },
    spec: {
      cidr6: config.cidr6.map(({ text }) => text),
      cidr4: config.cidr4.map(({ text }) => text),
      defaults,
      portmap,
      logLevel,
      ...(mtu === undefined ? {} : { mtu }),
      ...(metrics === undefined ? {} : { metrics }),
      ...(bgp === undefined ? {} : { bgp: renderBgp(bgp) }),
    },
  };
}

function renderBgp({ asn, routerId, maxAnnounced, peers, aggregates, anycast }: Bgp): Record<string, unknown> {
  return {
    asn,
    ...(maxAnnounced === undefined ? {} : { maxAnnounced }),
    ...(routerId === undefined ? {} : { routerId: routerId.text }),
    peers: peers.map(({ address, ...peer }) => ({ address: address.text, ...peer })),
    ...(aggregates === undefined ? {} : { aggregates: renderAttributes(aggregates) }),
    ...(anycast === undefined ? {} : { anycast: renderAttributes(anycast) }),
  };
}

function renderAttributes({ communities, largeCommunities, ...rest }: RouteAttributes): Record<string, unknown> {
  const texts = (list: readonly (readonly number[])[]): string[] => list.map((parts) => parts.join(":"));
  return { ...rest, communities: texts(communities), largeCommunities: texts(largeCommunities) };
}
