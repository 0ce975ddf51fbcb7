/**
 * Who is where in the lab. Addresses are those of the documentation ranges (RFC 5737, RFC 3849):
 *
 *     client -- router (AS 65000) == br0: control plane, node-a, node-b, ...
 *
 * All places of all labs use the same ones: no lab shares a network with another, nor with the machine.
 */
import type { Family } from "../../src/ip/address.ts";

/** A place's interface to the router, `up0` inside; its subnets are a /24 and a /64. */
export interface Uplink {
  readonly addresses: Readonly<Partial<Record<Family, string>>>;
  readonly gateways: Readonly<Record<Family, string>>;
}

export interface NodeSpec extends Uplink {
  /** `node-a`, `node-b`, ... */
  readonly name: string;
  readonly asn: number;
  readonly families: readonly Family[];
  /** What its NodeConfig says, unless a test wants something else. */
  readonly cidr4: string;
  readonly cidr6: string;
}

export const MAX_NODES = 4;
export const ROUTER_ASN = 65000;
export const ROUTER = { 4: "192.0.2.1", 6: "2001:db8:1::1" } as const;
export const CONTROL_PLANE = { 4: "192.0.2.2", 6: "2001:db8:1::2" } as const;
export const CLIENT = { 4: "198.51.100.2", 6: "2001:db8:c::2" } as const;
export const CLIENT_GATEWAY = { 4: "198.51.100.1", 6: "2001:db8:c::1" } as const;
export const CONTROL_PLANE_UPLINK: Uplink = { addresses: CONTROL_PLANE, gateways: ROUTER };
export const CLIENT_UPLINK: Uplink = { addresses: CLIENT, gateways: CLIENT_GATEWAY };

/** @returns the node of that index, from 0 */
export function nodeSpec(index: number, families: readonly Family[] = [4, 6]): NodeSpec {
  const four = { 4: `192.0.2.${10 + index}` };
  const six = { 6: `2001:db8:1::${(10 + index).toString(16)}` };
  return {
    name: `node-${"abcd".charAt(index)}`,
    asn: 65101 + index,
    families,
    cidr4: `203.0.113.${64 * index}/26`,
    cidr6: `2001:db8:f00${index + 1}::/64`,
    addresses: { ...(families.includes(4) ? four : {}), ...(families.includes(6) ? six : {}) },
    gateways: ROUTER,
  };
}

/** @returns the NodeConfig object that the node needs to serve, as one would apply it */
export function nodeConfigOf(node: NodeSpec): Record<string, unknown> {
  return {
    apiVersion: "flock.fritzlab.net/v1alpha1",
    kind: "NodeConfig",
    metadata: { name: node.name },
    spec: {
      ...(node.families.includes(6) ? { cidr6: [node.cidr6] } : {}),
      ...(node.families.includes(4) ? { cidr4: [node.cidr4] } : {}),
      bgp: { asn: node.asn, peers: node.families.map((family) => ({ address: ROUTER[family], asn: ROUTER_ASN })) },
    },
  };
}

/** One end of a veth pair in the router, the other, `up0`, in the network namespace of a process. */
export interface Cable {
  readonly port: string;
  readonly pid: number;
}

/** @returns lines for `ip -batch` in the router's network: its bridge, and a cable to each place */
export function renderRouterLinks(cables: { onBridge: readonly Cable[]; client: Cable }, mtu: number): string {
  return lines([
    "link set lo up",
    `link add br0 mtu ${mtu} type bridge mcast_snooping 0`,
    ...cables.onBridge.flatMap((cable) => bridged(cable, mtu)),
    plug(cables.client, mtu),
    ...renderAddresses(ROUTER, "br0"),
    ...renderAddresses(CLIENT_GATEWAY, cables.client.port),
  ]);
}

/** @returns lines for `ip -batch` in the router's network: one more cable from its bridge */
export function renderBridgeCable(cable: Cable, mtu: number): string {
  return lines(bridged(cable, mtu));
}

function bridged(cable: Cable, mtu: number): string[] {
  return [plug(cable, mtu), `link set ${cable.port} master br0 up`];
}

function plug({ port, pid }: Cable, mtu: number): string {
  return `link add ${port} mtu ${mtu} type veth peer name up0 mtu ${mtu} netns ${pid}`;
}

/** @returns lines for `ip -batch` in a place whose `up0` has been plugged in */
export function renderUplink({ addresses, gateways }: Uplink): string {
  const routes = ([4, 6] as const).filter((family) => addresses[family] !== undefined)
    .map((family) => `route add default via ${gateways[family]}`);
  return lines(["link set lo up", ...renderAddresses(addresses, "up0"), ...routes]);
}

/** No duplicate address detection, on the link-local address neither: no neighbour would be found during its first two seconds. */
function renderAddresses(addresses: Uplink["addresses"], link: string): string[] {
  const [four, six] = [addresses[4], addresses[6]];
  return [
    `link set ${link} addrgenmode none`,
    `link set ${link} up`,
    ...(four === undefined ? [] : [`address add ${four}/24 dev ${link}`]),
    ...(six === undefined
      ? []
      : [`address add ${six}/64 dev ${link} nodad`, `address add ${linkLocalOf(six)}/64 dev ${link} nodad`]),
  ];
}

/** @returns fe80::, with the last group of the address */
function linkLocalOf(address: string): string {
  return `fe80::ff:${address.slice(address.lastIndexOf(":") + 1)}`;
}

function lines(all: readonly string[]): string {
  return `${all.join("\n")}\n`;
}
