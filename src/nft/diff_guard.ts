import { GUARD_SETS, type GuardModel } from "./guard_model.ts";
import type { FoundTables } from "./read_guard.ts";

/**
 * @param wanted what the sets should hold, and the objects as they were right after our own transaction
 * @returns one phrase for each difference, in the order: objects, elements
 */
export function diffGuard(
  found: FoundTables,
  wanted: { model: GuardModel; objects: ReadonlyMap<string, string> },
): string[] {
  return [
    ...diffObjects(found.objects, wanted.objects),
    ...missingElements(found.elements, wanted.model),
    ...foreignElements(found.elements, wanted.model),
  ];
}

/**
 * Like diffGuard(), for what has to be there whatever else is.
 *
 * @param wanted `objects` is undefined as long as nothing was written: then only elements are looked at
 * @returns one phrase for each object that is missing, changed or not ours, and for each element that is missing
 */
export function diffGrants(
  found: FoundTables,
  wanted: { model: GuardModel; objects: ReadonlyMap<string, string> | undefined },
): string[] {
  const objects = wanted.objects === undefined ? [] : diffObjects(found.objects, wanted.objects);
  return [...objects, ...missingElements(found.elements, wanted.model)];
}

function diffObjects(found: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): string[] {
  const missing = [...wanted.keys()].filter((name) => !found.has(name)).map((name) => `${name} is missing`);
  const foreign = [...found.keys()].filter((name) => !wanted.has(name)).map((name) => `${name} is not ours`);
  const changed = [...wanted].filter(([name, body]) => found.has(name) && found.get(name) !== body);
  return [...missing, ...foreign, ...changed.map(([name]) => `${name} was changed`)];
}

/** A set that is gone is an object's difference; its elements are not listed again. */
function missingElements(found: FoundTables["elements"], model: GuardModel): string[] {
  return GUARD_SETS.flatMap(({ family, set }) => {
    const name = `${family} ${set}`;
    const have = found.get(name);
    if (have === undefined) return [];
    return [...new Set(model[set])].filter((element) => !have.has(element)).map((e) => `set ${name} lacks ${e}`);
  });
}

function foreignElements(found: FoundTables["elements"], model: GuardModel): string[] {
  return GUARD_SETS.flatMap(({ family, set }) => {
    const name = `${family} ${set}`;
    const want = new Set(model[set]);
    return [...found.get(name) ?? []].filter((e) => !want.has(e)).map((e) => `set ${name} holds ${e}, not ours`);
  });
}
