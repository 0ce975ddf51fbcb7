/**
 * A CustomResourceDefinition's structural schema, applied as the real server applies it: prune, default, validate.
 *
 * NOT EVALUATED: `x-kubernetes-validations` (CEL). What only a CEL rule refuses, the embedded server ACCEPTS. The real server refuses
 * it, and so does the agent's own parser; the contract suite proves both.
 */
import { equalJson, isJson, type Json } from "./_object.ts";
import type { Cause } from "./_status_error.ts";

/** The part of OpenAPI v3 that flock's definitions use; whatever else stands there is ignored. */
export interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly nullable?: boolean;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
}

/** Says nothing of what is below it, and keeps it. */
export const ANYTHING: Schema = { "x-kubernetes-preserve-unknown-fields": true };

/** @returns the value without fields that the schema does not know and with its defaults; `null` counts as absent where a default is */
export function pruneAndDefault(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => pruneAndDefault(schema.items ?? ANYTHING, item));
  if (!isJson(value)) return value;
  const result: Json = {};
  for (const [key, item] of Object.entries(value)) {
    const property = propertyOf(schema, key);
    if (property === undefined || (item === null && property.default !== undefined)) continue;
    result[key] = pruneAndDefault(property, item);
  }
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    if (result[key] === undefined && property.default !== undefined) {
      result[key] = pruneAndDefault(property, structuredClone(property.default));
    }
  }
  return result;
}

/** @returns one cause for each rule of the schema that the value breaks, `field` counted from the object's root */
export function validate(schema: Schema, value: unknown, field = ""): Cause[] {
  if (value === null && schema.nullable) return [];
  const type = typeOf(value);
  if (schema.type !== undefined && type !== schema.type && !(schema.type === "number" && type === "integer")) {
    return [{ ...invalid(field, type, `must be of type ${schema.type}`), reason: "FieldValueTypeInvalid" }];
  }
  if (schema.enum !== undefined && !schema.enum.some((item) => equalJson(item, value))) {
    const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${
      schema.enum.map((v) => JSON.stringify(v)).join(", ")
    }`;
    return [{ reason: "FieldValueNotSupported", message, field }];
  }
  if (typeof value === "string") return validateString(schema, value, field);
  if (typeof value === "number") return validateNumber(schema, value, field);
  if (Array.isArray(value)) return validateList(schema, value, field);
  return isJson(value) ? validateObject(schema, value, field) : [];
}

function validateString(schema: Schema, value: string, field: string): Cause[] {
  const { minLength, maxLength, pattern, format } = schema;
  const length = [...value].length;
  return collect(field, value, [
    [minLength !== undefined && length < minLength, `should be at least ${minLength} chars long`],
    [maxLength !== undefined && length > maxLength, `may not be more than ${maxLength} bytes`],
    [pattern !== undefined && !new RegExp(pattern, "u").test(value), `should match '${pattern}'`],
    [format === "date-time" && !isDateTime(value), `must be of type date-time`],
  ]);
}

function validateNumber(schema: Schema, value: number, field: string): Cause[] {
  const { minimum, maximum, format } = schema;
  return collect(field, value, [
    [minimum !== undefined && value < minimum, `should be greater than or equal to ${minimum}`],
    [maximum !== undefined && value > maximum, `should be less than or equal to ${maximum}`],
    [format === "int32" && Math.abs(value) > 2 ** 31, `must be of type integer with int32 format`],
  ]);
}

function validateList(schema: Schema, value: readonly unknown[], field: string): Cause[] {
  const { minItems, maxItems, items = {} } = schema;
  const bounds = collect(field, value.length, [
    [minItems !== undefined && value.length < minItems, `should have at least ${minItems} items`],
    [maxItems !== undefined && value.length > maxItems, `must have at most ${maxItems} items`],
  ]);
  if (bounds.length > 0) return bounds;
  return [...duplicates(schema, value, field), ...value.flatMap((item, i) => validate(items, item, `${field}[${i}]`))];
}

function validateObject(schema: Schema, value: Json, field: string): Cause[] {
  const missing = (schema.required ?? []).filter((key) => value[key] === undefined).map((key) => ({
    reason: "FieldValueRequired",
    message: "Required value",
    field: join(field, key),
  }));
  return [
    ...missing,
    ...Object.entries(value).flatMap(([key, item]) => validate(propertyOf(schema, key) ?? {}, item, join(field, key))),
  ];
}

function duplicates(schema: Schema, value: readonly unknown[], field: string): Cause[] {
  const keys = schema["x-kubernetes-list-map-keys"];
  if (!["set", "map"].includes(schema["x-kubernetes-list-type"] ?? "")) return [];
  const identity = (item: unknown): unknown =>
    keys === undefined || !isJson(item) ? item : keys.map((key) => item[key]);
  return value.flatMap((item, i) => {
    if (!value.slice(0, i).some((other) => equalJson(identity(other), identity(item)))) return [];
    const message = `Duplicate value: ${JSON.stringify(item)}`;
    return [{ reason: "FieldValueDuplicate", message, field: `${field}[${i}]` }];
  });
}

function collect(field: string, value: unknown, rules: readonly (readonly [boolean, string])[]): Cause[] {
  return rules.filter(([broken]) => broken).map(([, rule]) => invalid(field, value, rule));
}

function invalid(field: string, value: unknown, rule: string): Cause {
  return {
    reason: "FieldValueInvalid",
    message: `Invalid value: ${JSON.stringify(value)}: ${field} in body ${rule}`,
    field,
  };
}

function propertyOf(schema: Schema, key: string): Schema | undefined {
  const known = schema.properties !== undefined && Object.hasOwn(schema.properties, key)
    ? schema.properties[key]
    : undefined;
  if (known !== undefined) return known;
  if (isJson(schema.additionalProperties)) return schema.additionalProperties;
  const open = schema.additionalProperties === true || schema["x-kubernetes-preserve-unknown-fields"] === true;
  return open ? ANYTHING : undefined;
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value === "number" && Number.isInteger(value) ? "integer" : typeof value;
}

function isDateTime(value: string): boolean {
  return /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value) &&
    !Number.isNaN(Date.parse(value));
}

function join(field: string, key: string): string {
  return field === "" ? key : `${field}.${key}`;
}
