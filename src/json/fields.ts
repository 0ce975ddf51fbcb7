/** How what others wrote as JSON is read: field by field, nothing assumed of its inside. */
import { InvalidInput } from "../fault/invalid_input.ts";

/** The fields of an object of parsed JSON. */
export type Fields = Readonly<Record<string, unknown>>;

const NO_FIELDS: Fields = {};

/** @returns the fields; none of what is no object */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : NO_FIELDS;
}

/** @returns the items; none of what is no list */
export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Says whether a field is not there: absent and null are the same to the API (Go's nil). */
export function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

export function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** @throws InvalidInput always. @param value any JSON; shown as text */
export function refuse(field: string, value: unknown, rule: string): never {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? "";
  throw new InvalidInput([{ field, value: text, rule }]);
}

/** @returns the object's fields, whatever they are. @throws InvalidInput when it is none */
export function expectObject(field: string, value: unknown): Fields {
  return isFields(value) ? value : refuse(field, value, "must be an object");
}

/**
 * A field that this release does not know may narrow what the others say: whoever overlooks it allows too much.
 *
 * @throws InvalidInput when the value is no object or has a field that is not among the known
 */
export function readObject(field: string, value: unknown, known: readonly string[]): Fields {
  const fields = expectObject(field, value);
  for (const [name, held] of Object.entries(fields)) {
    if (!isAbsent(held) && !known.includes(name)) {
      refuse(field, name, "must have no field that this release does not know");
    }
  }
  return fields;
}

/** @returns the items, none when it is absent. @throws InvalidInput */
export function readList(field: string, value: unknown): readonly unknown[] {
  if (isAbsent(value)) return [];
  return Array.isArray(value) ? value : refuse(field, value, "must be a list");
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
