import { HOST_LINK } from "../hash/container_hash.ts";
import { podChainName } from "./names.ts";
import { type Direction, DIRECTIONS } from "./network_policy.ts";
import type { ChainRule, IsolatedPod, PolicyChain, PolicySet, PolicyTable } from "./policy_table.ts";
import { renderRule, renderSetType } from "./render_rule.ts";

/** The table's family and name, as commands take them. */
export const POLICY_TABLE = "inet flock-policy";

/** What nft's grammar has no other meaning for, whatever else it is. */
const NAME = /^[a-z][a-z0-9_]{0,63}$/;
const ELEMENT = /^(?:"flock[0-9a-f]{8}"|[0-9a-f.:]{2,39})(?: \. \d{1,5})?$/;

/** Egress goes first. What the node itself sends has no incoming link: index 0 (NP-28). */
const BASE_CHAINS: Readonly<Record<Direction, readonly string[]>> = {
  egress: ["type filter hook postrouting priority 98; policy accept;", "iifname vmap @egress_pods"],
  ingress: ["type filter hook postrouting priority 99; policy accept;", "iif 0 accept", "oifname vmap @ingress_pods"],
};

const LOG_LIMIT = "limit rate 10/second burst 20 packets";

/**
 * The whole table as nft reads it, for `nft -f -`: one transaction that takes the place of whatever table there was, counters included. Packets see the old one or the new one.
 *
 * @throws TypeError for a table that no compiler makes: a name or an element of which nft could read something else
 */
export function renderPolicyTable({ sets, chains, pods }: PolicyTable): string {
  const links = [...pods].sort(byName);
  return [
    `table ${POLICY_TABLE}`,
    `delete table ${POLICY_TABLE}`,
    `table ${POLICY_TABLE} {`,
    ...DIRECTIONS.map((direction) => `\t${renderMap(direction, links)}`),
    ...[...sets].sort(byName).map(([name, set]) => `\t${renderSet(name, set)}`),
    ...links.flatMap(([link, pod]) =>
      directionsOf(pod).map((direction) => `\tcounter ${podChainName(checkLink(link), direction)} { }`)
    ),
    ...[...chains].sort(byName).flatMap(([name, chain]) => renderChain(name, chain.rules.map(ruleOf(chain)))),
    ...links.flatMap(([link, pod]) =>
      directionsOf(pod).flatMap((direction) =>
        renderChain(podChainName(link, direction), renderPodRules(pod, { link, direction }))
      )
    ),
    ...(["egress", "ingress"] as const).flatMap((direction) => renderChain(direction, BASE_CHAINS[direction])),
    "}",
    "",
  ].join("\n");
}

/** @returns the directions in which the pod is isolated */
export function directionsOf({ chains }: IsolatedPod): readonly Direction[] {
  return DIRECTIONS.filter((direction) => chains[direction] !== undefined);
}

/** @returns the rules of the pod's own chain of one direction, as nft reads them */
export function renderPodRules(
  { chains, logDrops }: IsolatedPod,
  { link, direction }: { readonly link: string; readonly direction: Direction },
): string[] {
  const name = podChainName(checkLink(link), direction);
  return [
    "ct state established,related accept",
    ...(chains[direction] ?? []).map((chain) => `jump ${checkName(chain)}`),
    ...(logDrops ? [`${LOG_LIMIT} log prefix "flock drop ${name.replace("_", " ")}: "`] : []),
    `counter name "${name}" drop`,
  ];
}

/** @returns the rule as nft reads it. @throws TypeError for a set of which nft could read something else */
export function ruleOf({ direction }: Pick<PolicyChain, "direction">): (rule: ChainRule) => string {
  return (rule) => {
    if (rule.peer?.kind === "set") checkName(rule.peer.set);
    if (rule.port?.kind === "set") checkName(rule.port.set);
    return renderRule(rule, direction);
  };
}

/** @returns the element of a direction's verdict map that leads to the pod's own chain */
export function renderMapElement(link: string, direction: Direction): string {
  return `"${checkLink(link)}" : goto ${podChainName(link, direction)}`;
}

/** @returns the elements in braces, in order. @throws TypeError for one of which nft could read something else */
export function renderElements(elements: Iterable<string>): string {
  const sorted = [...elements].sort();
  const odd = sorted.find((element) => !ELEMENT.test(element));
  if (odd !== undefined) throw new TypeError(`Cannot render element ${JSON.stringify(odd)}: not of a policy's set`);
  return `{ ${sorted.join(", ")} }`;
}

/** @returns the name. @throws TypeError for what is no name of a set or chain */
export function checkName(name: string): string {
  if (!NAME.test(name)) throw new TypeError(`Cannot render name ${JSON.stringify(name)}: not of flock's table`);
  return name;
}

/** @returns the link. @throws TypeError for what is no host end of flock's */
export function checkLink(link: string): string {
  if (!HOST_LINK.test(link)) throw new TypeError(`Cannot render link ${JSON.stringify(link)}: not a host end`);
  return link;
}

/** @returns the declaration of a set with its elements, or without when there are none */
export function renderSet(name: string, { type, elements }: PolicySet): string {
  const list = elements.size === 0 ? "" : ` elements = ${renderElements(elements)};`;
  return `set ${checkName(name)} { ${renderSetType(type)}${list} }`;
}

function renderMap(direction: Direction, links: readonly (readonly [string, IsolatedPod])[]): string {
  const isolated = links.filter(([, pod]) => pod.chains[direction] !== undefined);
  const elements = isolated.map(([link]) => renderMapElement(link, direction));
  const list = elements.length === 0 ? "" : ` elements = { ${elements.join(", ")} };`;
  return `map ${direction}_pods { type ifname : verdict;${list} }`;
}

function renderChain(name: string, lines: readonly string[]): string[] {
  return [`\tchain ${checkName(name)} {`, ...lines.map((line) => `\t\t${line}`), "\t}"];
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
