import { addChain, named } from "./_commands.ts";
import { isInline } from "./hold_set.ts";
import { layOutChain } from "./lay_out_chain.ts";
import type { PolicyChanges, SetChange } from "./policy_changes.ts";
import { renderSetMatches, type SetMatches, setsOf } from "./render_rule.ts";
import { renderElements, renderSetBody } from "./render_set.ts";

/** Up to so many elements a set is made anew rather than losing one, with up to so many chains that name it. */
const SMALL_SET = 512;
const SOME_USERS = 64;

/** Commands about sets and the policies' chains that name them. */
export interface SetSteps {
  /** What the chains name. */
  readonly first: readonly string[];
  /** The chains that are new or say something new. */
  readonly chains: readonly string[];
  /** What leaves the table as it is to be. The chains that are to go have gone. */
  readonly then: readonly string[];
}

/** What becomes of a set. */
interface Fate {
  readonly name: string;
  readonly first?: string;
  /** Whether another takes its place, until it is made anew. */
  readonly isReplaced?: boolean;
  /** Whether all chains that name it are to be written anew. */
  readonly rewrites?: boolean;
  readonly then?: string;
}

/** @returns what has the sets, and the chains of policies, become what they are to be */
export function keepSets(changes: PolicyChanges): SetSteps {
  const fates = Array.from(changes.sets, ([name, change]) => fateOf(name, { change, changes }));
  const replaced = fates.filter(({ isReplaced }) => isReplaced).map(({ name }) => name);
  const fresh = Array.from(changes.chains).flatMap(([name, { after }]) => (after === undefined ? [] : [name]));
  const rewritten = usersOf(fates.filter(({ rewrites }) => rewrites).map(({ name }) => name), changes);
  const chains = new Set([...fresh, ...rewritten]);
  const again = usersOf(replaced, changes);
  return {
    first: [
      ...fates.flatMap(({ first }) => first ?? []),
      ...replaced.map((name) => addSet(name, { as: substituteOf(name), changes })),
      ...declare(chains, { changes, except: replaced }),
    ],
    chains: [...chains].flatMap((name) => writeChain(name, { changes, replaced })),
    then: [
      ...[...again].map((name) => `flush chain ${named(name)}`),
      ...replaced.flatMap((name) => [`delete set ${named(name)}`, addSet(name, { as: name, changes })]),
      ...declare(again, { changes, except: replaced }),
      ...[...again].map((name) => addChain(name, rulesOf(name, { changes, replaced: [] }))),
      ...replaced.map((name) => `delete set ${named(substituteOf(name))}`),
      ...fates.flatMap(({ then }) => then ?? []),
    ],
  };
}

function fateOf(name: string, { change, changes }: { change: SetChange; changes: PolicyChanges }): Fate {
  const { type, before, after, added, removed } = change;
  const was = before !== undefined && !isInline(type, before);
  const is = after !== undefined && !isInline(type, after);
  const rewrites = before !== undefined && after !== undefined;
  if (!is) return { name, rewrites, ...(was && { then: `delete set ${named(name)}` }) };
  if (!was) return { name, rewrites, first: addSet(name, { as: name, changes }) };
  const first = `add set ${named(name)} ${renderSetBody(type, added)}`;
  if (removed.length === 0) return { name, first };
  const canReplace = type.kind !== "linkPort" && after.elements <= SMALL_SET && after.users <= SOME_USERS;
  if (canReplace) return { name, isReplaced: true, rewrites: true };
  return { name, first, then: `delete element ${named(name)} { ${renderElements(removed)} }` };
}

function usersOf(sets: readonly string[], { find }: PolicyChanges): ReadonlySet<string> {
  return new Set(sets.flatMap((name) => [...find.set(name)?.users ?? []]));
}

function writeChain(name: string, how: { changes: PolicyChanges; replaced: readonly string[] }): string[] {
  const change = how.changes.chains.get(name);
  const isThere = change === undefined || change.before !== undefined;
  return [...(isThere ? [`flush chain ${named(name)}`] : []), addChain(name, rulesOf(name, how))];
}

function rulesOf(
  name: string,
  { changes: { find }, replaced }: { changes: PolicyChanges; replaced: readonly string[] },
): readonly string[] {
  const chain = find.chain(name);
  const matches: SetMatches = (set, direction) => {
    const found = find.set(set);
    if (found === undefined) return [];
    const as = replaced.includes(set) ? substituteOf(set) : set;
    return renderSetMatches(as, { set: found, direction, users: found.users.size });
  };
  return chain === undefined ? [] : layOutChain(chain, matches);
}

/** nft looks at the type of a set that a rule names: it knows those that the same line adds, there or not. */
function declare(
  chains: Iterable<string>,
  { changes: { find }, except }: { changes: PolicyChanges; except: readonly string[] },
): string[] {
  const names = new Set([...chains].flatMap((name) => [...setsOf(find.chain(name))]));
  return [...names.difference(new Set(except))].flatMap((name) => {
    const set = find.set(name);
    if (set === undefined || isInline(set.type, { elements: set.elements.size, users: set.users.size })) return [];
    return [`add set ${named(name)} ${renderSetBody(set.type, [])}`];
  });
}

function addSet(name: string, { as, changes: { find } }: { as: string; changes: PolicyChanges }): string {
  const set = find.set(name);
  if (set === undefined) throw new TypeError(`Cannot render the changes: set ${name} is missing`);
  return `add set ${named(as)} ${renderSetBody(set.type, set.elements)}`;
}

function substituteOf(name: string): string {
  return `${name}_next`;
}
