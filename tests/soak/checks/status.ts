/** What the status of a node's NodeConfig says. */
import { configPath } from "../../e2e/_cluster.ts";
import { record, records } from "../../lab/json.ts";
import type { Lab } from "../../lab/lab.ts";
import type { LabNode } from "../../lab/node.ts";
import { compare } from "./compare.ts";
import type { Expectation } from "./expectation.ts";
import { asPrefix } from "./routes.ts";
import { servedBy } from "./services.ts";

export interface StatusSight {
  readonly advertised: readonly string[];
  /** `198.18.255.1 by default/pod-3 and default/pod-6`, of those that are advertised or served. */
  readonly anycast: readonly string[];
  /** `type=status`. */
  readonly conditions: readonly string[];
  /** `address state`. */
  readonly peers: readonly string[];
}

export async function readStatus({ api }: Lab, node: LabNode): Promise<StatusSight> {
  const { advertised, anycast, conditions, peers } = record((await api.get(configPath(node)))?.["status"]);
  return {
    advertised: Array.isArray(advertised) ? advertised.map(String).sort() : [],
    anycast: records(anycast).flatMap(({ address, advertised, pods }) => {
      const names = Array.isArray(pods) ? pods.map(String) : [];
      return advertised === true || names.length > 0 ? [describeAnycast(String(address), names)] : [];
    }),
    // Pools are small here, and meant to be full at times.
    conditions: records(conditions).filter(({ type }) => type !== "PoolsHealthy")
      .map(({ type, status }) => `${type}=${status}`).sort(),
    peers: records(peers).map(({ address, state }) => `${address} ${state}`).sort(),
  };
}

export function judgeStatus(
  { advertised, anycast, conditions, peers }: StatusSight,
  { live, prefixes }: Pick<Expectation, "live" | "prefixes">,
): string[] {
  const served = servedBy(live);
  return [
    ...compare("advertised prefixes in status", advertised, [...prefixes, ...[...served.keys()].map(asPrefix)]),
    ...compare(
      "anycast addresses in status",
      anycast,
      [...served].map(([address, containers]) => describeAnycast(address, containers.map(({ owner }) => owner))),
    ),
    ...compare("conditions", conditions, ["BGPEstablished=True", "PolicyInSync=True", "Ready=True"]),
    ...compare("peers in status", peers, ["192.0.2.1 Established", "2001:db8:1::1 Established"]),
  ];
}

function describeAnycast(address: string, pods: readonly string[]): string {
  return `${address} by ${pods.toSorted().join(" and ")}`;
}
