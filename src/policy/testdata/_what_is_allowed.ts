/** Tables in words for tests. */
import { addressOf } from "../../ip/address.ts";
import { compilePolicyTable } from "./compile_policy_table.ts";
import { chainName } from "../names.ts";
import type { Direction } from "../network_policy.ts";
import type { ChainRule, PolicyTable } from "../policy_table.ts";
import { type WorldFields, worldOf } from "./_policy_fixture.ts";

/** Of the policy `default/tested`, which every world here has. */
export interface Question {
  readonly spec: unknown;
  readonly direction?: Direction;
  readonly world: WorldFields;
}

/**
 * Compiles a world with one policy more, `default/tested`.
 *
 * @returns what its chain accepts, a line for each rule, of sets what they hold: `192.0.2.1 192.0.2.9 | tcp 80
 * 8000-8100`; `-` is whatever; lines of empty sets are left out.
 *   Undefined: it isolates nothing in that direction
 */
export function whatIsAllowed({ spec, direction = "ingress", world }: Question): string[] | undefined {
  const table = compilePolicyTable(worldOf({ ...world, policies: { ...world.policies, tested: spec } }));
  const rules = table.chains.get(chainName("default/tested", direction))?.rules;
  return rules?.flatMap((rule) => showRule(rule, table)).sort();
}

function showRule({ peer, port }: ChainRule, table: PolicyTable): string[] {
  const elements = (set: string): string => [...table.sets.get(set)?.elements ?? []].sort().join(" ");
  const peers = peer === undefined
    ? "-"
    : peer.kind === "set"
    ? elements(peer.set)
    : peer.ranges.map(({ family, first, last }) => `${addressOf(family, first).text}-${addressOf(family, last).text}`)
      .join(" ");
  const ports = port === undefined
    ? "-"
    : port.kind === "set"
    ? elements(port.set)
    : port.ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(" ");
  return peers === "" || ports === "" ? [] : [`${peers} | ${port === undefined ? "" : `${port.protocol} `}${ports}`];
}
