import { layOutChain } from "./lay_out_chain.ts";
import { checkName, lookupChainName, mapName, podChainName } from "./names.ts";
import { type Direction, DIRECTIONS } from "./network_policy.ts";
import type { Change, PolicyChanges, SetChange } from "./policy_changes.ts";
import type { IsolatedPod, PolicyChain } from "./policy_table.ts";
import { baseRulesOf, directionsOf, POLICY_TABLE } from "./render_policy_table.ts";
import { linkPortsOf, renderLookup, renderPodRules } from "./render_rule.ts";
import { renderElements, renderMapBody, renderSetBody } from "./render_set.ts";

/** Up to so many elements a set is made anew rather than losing one. */
const SMALL_SET = 512;

/**
 * The changes as commands of ONE transaction, in an order that nft takes: what is named is made before it is named, and unmade after. Nothing is left to another table than flock's.
 *
 * Only such commands as nft (1.0.6 to 1.1) carries out without reading first what the machine has: `add set`, `add map` and `add chain` with a body, each in the line before
 * whatever names it, `flush chain`, and `delete` of all but elements. In a table of 1000 policies those take 1 to 4 ms. `add element`, `add rule` and `delete element`
 * make nft read every set of the machine first, and every interval set's elements: hundreds of ms there. So a small set that loses elements is made anew with
 * the chain that looks it up, and so is a map; `delete element` is left for large sets.
 */
export function renderPolicyChanges({ sets, chains, pods, isolated }: PolicyChanges): string[] {
  return [
    ...[...sets].flatMap(([name, change]) => keepSet(name, change)),
    ...[...chains].flatMap(([name, change]) => keepChain(name, change)),
    ...[...pods].flatMap(([link, change]) => keepPod(link, change)),
    ...DIRECTIONS.flatMap((direction) => changeMap(direction, { pods, isolated })),
    ...[...pods].flatMap(([link, change]) => dropPod(link, change)),
    ...[...chains].flatMap(([name, change]) => dropChain(name, change)),
    ...[...sets].flatMap(([name, change]) => dropSet(name, change)),
  ];
}

/** What the set gains, and what it loses while it stays. */
function keepSet(name: string, change: SetChange): string[] {
  const { type, named: { before, after }, added, removed, elements } = change;
  if (after.length === 0) return [];
  const made = lookups(after.filter((direction) => !before.includes(direction)), { name, change });
  if (removed.length === 0) return [`add set ${named(name)} ${renderSetBody(type, added)}`, ...made];
  const lookedUp = type.kind !== "linkPort";
  if (lookedUp && elements.size <= SMALL_SET) {
    return [
      ...before.map((direction) => `flush chain ${named(lookupChainName(name, direction))}`),
      `delete set ${named(name)}`,
      `add set ${named(name)} ${renderSetBody(type, elements)}`,
      ...lookups(after, { name, change }),
    ];
  }
  return [
    `add set ${named(name)} ${renderSetBody(type, added)}`,
    ...made,
    `delete element ${named(name)} { ${renderElements(removed)} }`,
  ];
}

function dropSet(name: string, { type, named: { before, after } }: SetChange): string[] {
  const unused = type.kind === "linkPort" ? [] : before.filter((direction) => !after.includes(direction));
  return [
    ...unused.map((direction) => `delete chain ${named(lookupChainName(name, direction))}`),
    ...(after.length === 0 ? [`delete set ${named(name)}`] : []),
  ];
}

function lookups(
  directions: readonly Direction[],
  { name, change: { type } }: { name: string; change: SetChange },
): string[] {
  if (type.kind === "linkPort") return [];
  return directions.map((direction) =>
    addChain(lookupChainName(name, direction), [renderLookup(name, { type, direction })])
  );
}

function keepChain(name: string, { before, after }: Change<PolicyChain>): string[] {
  if (after === undefined) return [];
  const there = before === undefined ? [] : [...layOutChain(name, before).keys()];
  return [
    ...[...linkPortsOf(after)].map(([set, protocol]) =>
      `add set ${named(set)} ${renderSetBody({ kind: "linkPort", protocol }, [])}`
    ),
    ...[...layOutChain(name, after)].flatMap(([each, rules]) => [
      ...(there.includes(each) ? [`flush chain ${named(each)}`] : []),
      addChain(each, rules),
    ]),
  ];
}

/** The chain before those that it jumps to. */
function dropChain(name: string, { before, after }: Change<PolicyChain>): string[] {
  const kept = after && layOutChain(name, after);
  const gone = before === undefined ? [] : [...layOutChain(name, before).keys()].filter((each) => !kept?.has(each));
  return gone.reverse().map((each) => `delete chain ${named(each)}`);
}

function keepPod(link: string, { before, after }: Change<IsolatedPod>): string[] {
  if (after === undefined) return [];
  return directionsOf(after).flatMap((direction) => {
    const name = podChainName(link, direction);
    const chain = addChain(name, renderPodRules(after, { link, direction }));
    if (before?.chains[direction] === undefined) return [`add counter ${named(name)}`, chain];
    return isSame(direction, { before, after }) ? [] : [`flush chain ${named(name)}`, chain];
  });
}

function dropPod(link: string, { before, after }: Change<IsolatedPod>): string[] {
  const gone = (before === undefined ? [] : directionsOf(before)).filter((each) => after?.chains[each] === undefined);
  return gone.flatMap((direction) => {
    const name = named(podChainName(link, direction));
    return [`delete chain ${name}`, `delete counter ${name}`];
  });
}

function changeMap(direction: Direction, { pods, isolated }: Pick<PolicyChanges, "pods" | "isolated">): string[] {
  const map = named(mapName(direction));
  const [gained, lost] = (["after", "before"] as const).map((side) => {
    const other = side === "after" ? "before" : "after";
    return [...pods].flatMap(([link, change]): [string, IsolatedPod][] => {
      const pod = change[side];
      return pod?.chains[direction] === undefined || change[other]?.chains[direction] !== undefined
        ? []
        : [[link, pod]];
    });
  });
  if (lost === undefined || lost.length === 0) {
    return gained === undefined || gained.length === 0 ? [] : [`add map ${map} ${renderMapBody(direction, gained)}`];
  }
  return [
    `flush chain ${named(direction)}`,
    `delete map ${map}`,
    `add map ${map} ${renderMapBody(direction, isolated)}`,
    addChain(direction, baseRulesOf(direction)),
  ];
}

function isSame(direction: Direction, { before, after }: { before: IsolatedPod; after: IsolatedPod }): boolean {
  return before.logDrops === after.logDrops && before.chains[direction]?.join() === after.chains[direction]?.join();
}

function addChain(name: string, rules: readonly string[]): string {
  const body = rules.length === 0 ? "" : ` { ${rules.map((rule) => `${rule};`).join(" ")} }`;
  return `add chain ${named(name)}${body}`;
}

function named(name: string): string {
  return `${POLICY_TABLE} ${checkName(name)}`;
}
