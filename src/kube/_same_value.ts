/**
 * Says whether two decoded values say the same: primitives, lists, maps and plain records of such. Of anything else only one and the
 * same object is the same.
 */
export function isSameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (a instanceof Map && b instanceof Map) return isSameMap(a, b);
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((each, i) => isSameValue(each, b[i]));
  }
  return isPlain(a) && isPlain(b) && isSameMap(new Map(Object.entries(a)), new Map(Object.entries(b)));
}

function isSameMap(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.has(key) && isSameValue(value, b.get(key)));
}

function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
