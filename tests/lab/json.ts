/** Reading foreign JSON: what has another shape reads as empty. */

/** @returns the fields of an object; none when it is something else */
export function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/** @returns the objects of an array; none when it is something else */
export function records(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(record) : [];
}
