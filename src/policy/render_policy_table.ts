import { isInline } from "./hold_set.ts";
import { checkName, mapName, podChainName, POLICY_TABLE } from "./names.ts";
import { type Direction, DIRECTIONS } from "./network_policy.ts";
import type { IsolatedPod, PolicyTable } from "./policy_table.ts";
import { layOutChain, portsChainsOf } from "./lay_out_chain.ts";
import { renderPodRules, renderSetMatches, type SetMatches, setsOf } from "./render_rule.ts";
import { renderMapBody, renderSetBody } from "./render_set.ts";

/** Egress goes first. */
const HOOKS: Readonly<Record<Direction, string>> = {
  egress: "type filter hook postrouting priority 98; policy accept",
  ingress: "type filter hook postrouting priority 99; policy accept",
};

/**
 * The base chain of a direction, which is there as long as a pod is isolated in it: a hook and an empty map cost each
 * packet that the node forwards a tenth of a microsecond, and all traffic a per cent.
 *
 * What the node itself sends has no incoming link: index 0 (NP-28).
 *
 * @returns its hook, and its rules
 */
export function renderBaseChain(direction: Direction): readonly [hook: string, ...rules: string[]] {
  const look = `${direction === "egress" ? "iifname" : "oifname"} vmap @${mapName(direction)}`;
  return direction === "egress" ? [HOOKS[direction], look] : [HOOKS[direction], "iif 0 accept", look];
}

/** @returns the directions in which the pod is isolated */
export function directionsOf({ chains }: IsolatedPod): readonly Direction[] {
  return DIRECTIONS.filter((direction) => chains[direction] !== undefined);
}

/**
 * The whole table as nft reads it, for `nft -f -`: one transaction that takes the place of whatever table there was,
 * counters included. Packets see the old one or the new one.
 *
 * @throws TypeError for a table that no compiler makes: a name or an element of which nft could read something else
 */
export function renderPolicyTable(table: PolicyTable): string {
  const pods = [...table.pods].sort(byName);
  const chains = [...table.chains].sort(byName);
  const users = countUsers(table);
  const matches: SetMatches = (name, direction) => {
    const set = table.sets.get(name);
    if (set === undefined) throw new TypeError(`Cannot render the table: set ${checkName(name)} is missing`);
    return renderSetMatches(name, { set, direction, users: users.get(name) ?? 0 });
  };
  const ends = pods.flatMap(([link, pod]) => directionsOf(pod).map((direction) => ({ link, pod, direction })));
  const lines = [
    ...DIRECTIONS.map((direction) => `map ${mapName(direction)} ${renderMapBody(direction, pods)}`),
    ...[...table.sets].sort(byName).flatMap(([name, { type, elements }]) =>
      isInline(type, { elements: elements.size, users: users.get(name) ?? 0 })
        ? []
        : [`set ${checkName(name)} ${renderSetBody(type, elements)}`]
    ),
    ...ends.map(({ link, direction }) => `counter ${podChainName(link, direction)} { }`),
    ...[...new Map(chains.flatMap(([, chain]) => [...portsChainsOf(chain)]))].sort(byName).flatMap(([name, rules]) =>
      renderChain(name, rules)
    ),
    ...chains.flatMap(([name, chain]) => renderChain(name, layOutChain(chain, matches))),
    ...ends.flatMap(({ link, pod, direction }) =>
      renderChain(podChainName(link, direction), renderPodRules(pod, { link, direction }))
    ),
    ...DIRECTIONS.toReversed().flatMap((direction) =>
      ends.some((end) => end.direction === direction) ? renderChain(direction, renderBaseChain(direction)) : []
    ),
  ];
  return [
    `table ${POLICY_TABLE}`,
    `delete table ${POLICY_TABLE}`,
    `table ${POLICY_TABLE} {`,
    ...lines.map((line) => `\t${line}`),
    "}",
    "",
  ].join("\n");
}

/** @returns set -> how many chains name it */
function countUsers({ chains }: PolicyTable): ReadonlyMap<string, number> {
  const users = new Map<string, number>();
  for (const chain of chains.values()) {
    for (const set of setsOf(chain)) users.set(set, (users.get(set) ?? 0) + 1);
  }
  return users;
}

function renderChain(name: string, rules: readonly string[]): string[] {
  return [`chain ${checkName(name)} {`, ...rules.map((rule) => `\t${rule}`), "}"];
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
