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
  return [...diffObjects(found.objects, wanted.objects), ...diffElements(found.elements, wanted.model)];
}

function diffObjects(found: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): string[] {
  const missing = [...wanted.keys()].filter((name) => !found.has(name)).map((name) => `${name} is missing`);
  const foreign = [...found.keys()].filter((name) => !wanted.has(name)).map((name) => `${name} is not ours`);
  const changed = [...wanted].filter(([name, body]) => found.has(name) && found.get(name) !== body);
  return [...missing, ...foreign, ...changed.map(([name]) => `${name} was changed`)];
}

/** A set that is gone is an object's difference; its elements are not listed again. */
function diffElements(found: FoundTables["elements"], model: GuardModel): string[] {
  return GUARD_SETS.flatMap(({ family, set }) => {
    const name = `${family} ${set}`;
    const [have, want] = [found.get(name), new Set(model[set])];
    if (have === undefined) return [];
    const missing = [...want].filter((element) => !have.has(element)).map((element) => `set ${name} lacks ${element}`);
    const foreign = [...have].filter((element) => !want.has(element)).map((e) => `set ${name} holds ${e}, not ours`);
    return [...missing, ...foreign];
  });
}
