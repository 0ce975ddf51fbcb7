/** Kubernetes objects as the embedded server holds them: plain JSON, never changed in place once stored. */
import { StatusError } from "./_status_error.ts";

export type Json = Record<string, unknown>;

export interface ObjectMeta extends Json {
  name: string;
  namespace?: string;
  resourceVersion?: string;
  uid?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  finalizers?: string[];
  labels?: Record<string, string>;
}

export interface StoredObject extends Json {
  metadata: ObjectMeta;
}

export function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @returns the value at a path such as `spec.nodeName`; undefined when some part of it is missing */
export function valueAt(object: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (isJson(value) ? value[key] : undefined), object);
}

/** @returns the body as an object with sound metadata. @throws StatusError 400 */
export function parseStoredObject(body: unknown): StoredObject {
  if (!isJson(body)) throw new StatusError(400, "BadRequest", "the body must be a JSON object");
  const metadata = isJson(body["metadata"]) ? body["metadata"] : {};
  for (const key of ["name", "namespace", "generateName", "resourceVersion", "uid"]) {
    if (!["string", "undefined"].includes(typeof metadata[key])) throw badMetadata(key, "a string");
  }
  for (const key of ["labels", "annotations"]) {
    if (!isStringMap(metadata[key])) throw badMetadata(key, "a map of strings");
  }
  return { ...body, metadata: { ...metadata, name: String(metadata["name"] ?? "") } };
}

/** Deep equality of JSON, blind to the order of keys. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => equalJson(item, b[i]));
  if (!isJson(a) || !isJson(b)) return a === b;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => equalJson(a[key], b[key]));
}

function isStringMap(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return isJson(value) && Object.values(value).every((item) => typeof item === "string");
}

function badMetadata(key: string, type: string): StatusError {
  return new StatusError(400, "BadRequest", `metadata.${key} must be ${type}`);
}
