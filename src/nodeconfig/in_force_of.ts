import type { NodeConfigInForce } from "../snapshot/agent_snapshot.ts";
import type { NodeConfig } from "./node_config.ts";

/** @returns what of a NodeConfig that is in force `flock inspect` goes by */
export function inForceOf({ generation, cidr6, cidr4, bgp }: NodeConfig): NodeConfigInForce {
  return {
    generation,
    cidr6: cidr6.map(({ text }) => text),
    cidr4: cidr4.map(({ text }) => text),
    ...(bgp === undefined ? {} : { asn: bgp.asn }),
    peers: bgp?.peers.map(({ address, asn, extendedNextHop }) => ({
      ...{ address: address.text, asn },
      ...(extendedNextHop === true ? { extendedNextHop } : {}),
    })) ?? [],
  };
}
