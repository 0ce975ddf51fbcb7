/**
 * What a table holds, roughly: enough to see what somebody took out of it or put into it. The same from the text that
 * makes a table and from what nft lists of it.
 */
export interface TableOutline {
  // chain -> where it hooks, if it does, and how many rules it has: `filter postrouting 99 accept, 2 rules`
  readonly chains: ReadonlyMap<string, string>;
  // set or map -> elements without quotes: `192.0.2.7`, `flock0a0b0c0d . 8080`, `flock0a0b0c0d : goto to_flock0a0b0c0d`
  readonly sets: ReadonlyMap<string, ReadonlySet<string>>;
  readonly counters: ReadonlySet<string>;
}

/** @returns one phrase for each difference */
export function diffOutlines(found: TableOutline, wanted: TableOutline): string[] {
  return [
    ...diffNames("chain", found.chains, wanted.chains),
    ...[...wanted.chains].flatMap(([name, looks]) => changed(name, { looks, found: found.chains.get(name) })),
    ...diffNames("set", found.sets, wanted.sets),
    ...[...wanted.sets].flatMap(([name, elements]) => diffElements(name, { elements, found: found.sets.get(name) })),
    ...diffNames("counter", found.counters, wanted.counters),
  ];
}

type Names = { has(name: string): boolean; keys(): Iterable<string> };

function diffNames(kind: string, found: Names, wanted: Names): string[] {
  return [
    ...[...wanted.keys()].filter((name) => !found.has(name)).map((name) => `${kind} ${name} is missing`),
    ...[...found.keys()].filter((name) => !wanted.has(name)).map((name) => `${kind} ${name} is not ours`),
  ];
}

function changed(name: string, { looks, found }: { looks: string; found: string | undefined }): string[] {
  return found === undefined || found === looks ? [] : [`chain ${name} is (${found}) instead of (${looks})`];
}

/** A set that is gone is a difference of its own; its elements are not listed again. */
function diffElements(
  name: string,
  { elements, found }: { elements: ReadonlySet<string>; found: ReadonlySet<string> | undefined },
): string[] {
  if (found === undefined) return [];
  return [
    ...[...elements.difference(found)].map((element) => `set ${name} lacks ${element}`),
    ...[...found.difference(elements)].map((element) => `set ${name} holds ${element}, not ours`),
  ];
}

/** @returns how an outline tells of a chain */
export function describeChain(rules: number, hook?: string): string {
  return `${hook === undefined ? "" : `${hook}, `}${rules} rules`;
}
