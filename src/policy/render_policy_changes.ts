import { addChain, named } from "./_commands.ts";
import { keepSets } from "./_keep_sets.ts";
import { mapName, podChainName } from "./names.ts";
import { type Direction, DIRECTIONS } from "./network_policy.ts";
import type { Change, PolicyChanges } from "./policy_changes.ts";
import type { IsolatedPod } from "./policy_table.ts";
import { directionsOf, renderBaseChain } from "./render_policy_table.ts";
import { renderPodRules } from "./render_rule.ts";
import { renderMapBody } from "./render_set.ts";

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
 * of 1000 policies those take 1 to 3 ms; `delete` of a chain or set makes nft read all chains and sets of the machine
 * first, 10 ms there, and `add element`, `add rule` and `delete element` all elements of every interval set too. So a
 * small set that loses elements is replaced by another first, and then made anew, with the chains that name it; and a
 * pod that is isolated no more is let through by its own chain, until the map is made anew without it.
 */
export function renderPolicyChanges(changes: PolicyChanges): readonly (readonly string[])[] {
  const { ports, pods, chains } = changes;
  const sets = keepSets(changes);
  const maps = DIRECTIONS.map((direction) => changeMap(direction, changes));
  const steps = [
    now(sets.first),
    now([...ports.added].map(([name, rules]) => addChain(name, rules))),
    now(sets.chains),
    ...[...pods].map(([link, change]) => now(keepPod(link, change))),
    ...maps,
    ...[...pods].map(([link, change]) => later(dropPod(link, change))),
    later([...chains].flatMap(([name, { after }]) => (after === undefined ? [`delete chain ${named(name)}`] : []))),
    later(ports.removed.map((name) => `delete chain ${named(name)}`)),
    later(sets.then),
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
  const count = [...isolated.values()].filter(({ chains }) => chains[direction] !== undefined).length;
  const [wasThere, isThere] = [count - gained.length + lost.length > 0, count > 0];
  const [hook, ...rules] = renderBaseChain(direction);
  const added = [
    ...(gained.length === 0 ? [] : [`add map ${map} ${renderMapBody(direction, gained)}`]),
    ...(isThere && !wasThere ? [addChain(direction, [hook, ...rules])] : []),
  ];
  if (lost.length === 0) return now(added);
  const opened = lost.flatMap(([link]) => {
    const name = podChainName(link, direction);
    return [`flush chain ${named(name)}`, addChain(name, ["accept"])];
  });
  return {
    first: [...added, ...opened],
    then: [
      `${isThere ? "flush" : "delete"} chain ${named(direction)}`,
      `delete map ${map}`,
      `add map ${map} ${renderMapBody(direction, isolated)}`,
      ...(isThere ? [addChain(direction, rules)] : []),
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
