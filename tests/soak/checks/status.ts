/** What the status of a node's NodeConfig says. */
import { configPath } from "../../e2e/_cluster.ts";
import { record, records } from "../../lab/json.ts";
import type { Lab } from "../../lab/lab.ts";
import type { LabNode } from "../../lab/node.ts";
import { compare } from "./compare.ts";
import type { Expectation } from "./expectation.ts";

export interface StatusSight {
  readonly advertised: readonly string[];
  /** `type=status`. */
  readonly conditions: readonly string[];
  /** `address state`. */
  readonly peers: readonly string[];
}

export async function readStatus({ api }: Lab, node: LabNode): Promise<StatusSight> {
  const { advertised, conditions, peers } = record((await api.get(configPath(node)))?.["status"]);
  return {
    advertised: Array.isArray(advertised) ? advertised.map(String).sort() : [],
    conditions: records(conditions).map(({ type, status }) => `${type}=${status}`).sort(),
    peers: records(peers).map(({ address, state }) => `${address} ${state}`).sort(),
  };
}

export function judgeStatus(
  { advertised, conditions, peers }: StatusSight,
  { prefixes }: Pick<Expectation, "prefixes">,
): string[] {
  return [
    ...compare("advertised prefixes in status", advertised, prefixes),
    ...compare("conditions", conditions, ["BGPEstablished=True", "PoliciesInForce=True", "Ready=True"]),
    ...compare("peers in status", peers, ["192.0.2.1 Established", "2001:db8:1::1 Established"]),
  ];
}
