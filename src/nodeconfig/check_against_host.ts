import type { Problem } from "../fault/invalid_input.ts";
import { type Address, contains, overlaps, type Prefix, prefixOf } from "../ip/address.ts";
import type { NodeConfig } from "./node_config.ts";

/** What the check must know of the node's own network (`HostNetwork` is one): its addresses, flock's veths left out. */
export interface HostAddresses {
  readonly addresses: readonly {
    readonly address: Address;
    /** The interface's real prefix length. */
    readonly length: number;
    readonly link: string;
  }[];
}

/**
 * Checks what only the node itself can know: a node CIDR must hold no address of the node and overlap no connected subnet, and a
 * peer must not be the node itself. That a CIDR must hold no peer is `parseNodeConfig`'s rule already.
 *
 * @returns one problem for each CIDR and peer that is wrong; none: the node can use it
 */
export function checkAgainstHost(config: NodeConfig, network: HostAddresses): Problem[] {
  const cidrs = [...fieldsOf("cidr6", config.cidr6), ...fieldsOf("cidr4", config.cidr4)];
  const peers = (config.bgp?.peers ?? []).map(({ address }, i) => ({ field: `spec.bgp.peers[${i}].address`, address }));
  return [
    ...cidrs.flatMap(({ field, cidr }) => problemOf(field, cidr.text, ruleFor(cidr, network))),
    ...peers.flatMap(({ field, address }) => problemOf(field, address.text, peerRuleFor(address, network))),
  ];
}

function ruleFor(cidr: Prefix, { addresses }: HostAddresses): string | undefined {
  const own = addresses.find(({ address }) => contains(cidr, address));
  if (own !== undefined) return `must not contain the node's own address ${own.address.text} on ${own.link}`;
  const connected = addresses.find(({ address, length }) => overlaps(cidr, prefixOf(address, length)));
  if (connected === undefined) return undefined;
  return `must not overlap ${
    prefixOf(connected.address, connected.length).text
  }, which is connected on ${connected.link}`;
}

function peerRuleFor(peer: Address, { addresses }: HostAddresses): string | undefined {
  const own = addresses.find(({ address }) => address.text === peer.text);
  return own && `must not be the node's own address on ${own.link}`;
}

function fieldsOf(list: string, cidrs: readonly Prefix[]): { field: string; cidr: Prefix }[] {
  return cidrs.map((cidr, index) => ({ field: `spec.${list}[${index}]`, cidr }));
}

function problemOf(field: string, value: string, rule: string | undefined): Problem[] {
  return rule === undefined ? [] : [{ field, value, rule }];
}
