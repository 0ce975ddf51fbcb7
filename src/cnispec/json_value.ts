/** Careful access to parsed JSON: own properties only, so that a key called `__proto__` or `constructor` finds nothing. */

export type JsonObject = Readonly<Record<string, unknown>>;

/** Says whether the value is an object, not an array and not null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @returns the object's own property of that name; undefined when there is none */
export function ownValue(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** @returns the object that the text is in JSON; an empty one when it is something else */
export function parseJsonObject(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}

/** Says whether the value nests at most `depth` objects or arrays. */
export function nestsWithin(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => nestsWithin(inner, depth - 1));
}

/** @returns the value as an error may show it: text as it is, everything else as JSON, cut short */
export function showValue(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined ? "" : JSON.stringify(value).slice(0, 100);
}
