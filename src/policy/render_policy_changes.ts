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

/** Commands that decide what becomes of packets, and those that only leave the table as it is to be. */
interface Steps {
  readonly first: readonly string[];
  readonly then: readonly string[];
}

/**
 * The changes as commands of one transaction, or of two that are to follow each other at once, in an order that nft
 * takes: what is named is made before it is named, and unmade after. After the first of two, packets already fare as
 * after the second. Nothing is left to another table than flock's.
 *
 * The first has only such commands as nft (1.0.6 to 1.1) carries out without reading first what the machine has: `add
 * set`, `add map` and `add chain` with a body, each in the line before whatever names it, and `flush chain`. In a table
 * of 1000 policies those take 1 to 4 ms; `delete` of a chain or set makes nft read all chains and sets of the machine
 * first, 10 ms there, and `add element`, `add rule` and `delete element` all elements of every interval set too:
 * hundreds of ms. So a small set that loses elements is replaced by another first, and then made anew, with the chain
 * that looks it up; and a pod that is isolated no more is let through by its own chain, until the map is made anew
 * without it.
 */
export function renderPolicyChanges({ sets, chains, pods, isolated }: PolicyChanges): readonly (readonly string[])[] {
  const steps = [
    ...Array.from(sets, ([name, change]) => keepSet(name, change)),
    ...Array.from(chains, ([name, change]) => now(keepChain(name, change))),
    ...Array.from(pods, ([link, change]) => now(keepPod(link, change))),
    ...DIRECTIONS.map((direction) => changeMap(direction, { pods, isolated })),
    ...Array.from(pods, ([link, change]) => later(dropPod(link, change))),
    ...Array.from(chains, ([name, change]) => later(dropChain(name, change))),
    ...Array.from(sets, ([name, change]) => later(dropSet(name, change))),
  ];
  const [first, then] = [steps.flatMap((step) => step.first), steps.flatMap((step) => step.then)];
  return [first, then].filter((commands) => commands.length > 0);
}

function now(first: readonly string[]): Steps {
  return { first, then: [] };
}

function later(then: readonly string[]): Steps {
  return { first: [], then };
}

/** What the set gains, and what it loses while it stays. */
function keepSet(name: string, change: SetChange): Steps {
  const { type, named: { before, after }, added, removed, elements } = change;
  if (after.length === 0) return now([]);
  const made = after.filter((direction) => !before.includes(direction));
  const isLookedUp = type.kind !== "linkPort";
  if (removed.length > 0 && isLookedUp && elements.size <= SMALL_SET) return replaceSet(name, change);
  return {
    first: [`add set ${named(name)} ${renderSetBody(type, added)}`, ...lookups(made, { name, set: name, change })],
    then: removed.length === 0 ? [] : [`delete element ${named(name)} { ${renderElements(removed)} }`],
  };
}

/** Another set takes its place until it is made anew. */
function replaceSet(name: string, change: SetChange): Steps {
  const { type, named: { before, after }, elements } = change;
  const [substitute, body] = [`${name}_next`, renderSetBody(type, elements)];
  const flush = (direction: Direction): string => `flush chain ${named(lookupChainName(name, direction))}`;
  return {
    first: [
      `add set ${named(substitute)} ${body}`,
      ...before.map(flush),
      ...lookups(after, { name, set: substitute, change }),
    ],
    then: [
      ...after.map(flush),
      `delete set ${named(name)}`,
      `add set ${named(name)} ${body}`,
      ...lookups(after, { name, set: name, change }),
      `delete set ${named(substitute)}`,
    ],
  };
}

function dropSet(name: string, { type, named: { before, after } }: SetChange): string[] {
  const unused = type.kind === "linkPort" ? [] : before.filter((direction) => !after.includes(direction));
  return [
    ...unused.map((direction) => `delete chain ${named(lookupChainName(name, direction))}`),
    ...(after.length === 0 ? [`delete set ${named(name)}`] : []),
  ];
}

/** @param how.name whose chains they are. @param how.set which they look up */
function lookups(
  directions: readonly Direction[],
  { name, set, change: { type } }: { name: string; set: string; change: SetChange },
): string[] {
  if (type.kind === "linkPort") return [];
  return directions.map((direction) =>
    addChain(lookupChainName(name, direction), [renderLookup(set, { type, direction })])
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

function changeMap(direction: Direction, { pods, isolated }: Pick<PolicyChanges, "pods" | "isolated">): Steps {
  const map = named(mapName(direction));
  const [gained, lost] = [isolatedOnly("after", { pods, direction }), isolatedOnly("before", { pods, direction })];
  const added = gained.length === 0 ? [] : [`add map ${map} ${renderMapBody(direction, gained)}`];
  if (lost.length === 0) return now(added);
  const opened = lost.flatMap(([link]) => {
    const name = podChainName(link, direction);
    return [`flush chain ${named(name)}`, addChain(name, ["accept"])];
  });
  return {
    first: [...added, ...opened],
    then: [
      `flush chain ${named(direction)}`,
      `delete map ${map}`,
      `add map ${map} ${renderMapBody(direction, isolated)}`,
      addChain(direction, baseRulesOf(direction)),
    ],
  };
}

/** @returns the pods that are isolated in the direction on that side of their change, and not on the other */
function isolatedOnly(
  side: "before" | "after",
  { pods, direction }: { pods: PolicyChanges["pods"]; direction: Direction },
): [link: string, pod: IsolatedPod][] {
  const other = side === "before" ? "after" : "before";
  return [...pods].flatMap(([link, { [side]: pod, [other]: elsewhere }]): [string, IsolatedPod][] =>
    pod?.chains[direction] === undefined || elsewhere?.chains[direction] !== undefined ? [] : [[link, pod]]
  );
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
