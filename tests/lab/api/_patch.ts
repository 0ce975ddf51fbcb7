/** The three ways to patch an object. */
import { equalJson, isJson, type Json } from "./_object.ts";
import { StatusError } from "./_status_error.ts";

/**
 * List fields that a strategic merge patch merges, and by what: those that flock and kubectl touch. Other lists are
 * replaced.
 */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  conditions: "type",
  addresses: "type",
  containers: "name",
  initContainers: "name",
  volumes: "name",
  env: "name",
  podIPs: "ip",
};

/** @param contentType without parameters. @returns the patched object. @throws StatusError 415, 400 or 422 */
export function applyPatch(object: Json, patch: unknown, contentType: string): Json {
  switch (contentType) {
    case "application/merge-patch+json":
      return expectObject(mergePatch(object, expectObject(patch)));
    case "application/strategic-merge-patch+json":
      return strategicMerge(object, expectObject(patch));
    case "application/json-patch+json":
      return expectObject(jsonPatch(object, patch));
    default:
      throw new StatusError(415, "UnsupportedMediaType", `the body of the patch is of unsupported type ${contentType}`);
  }
}

/** RFC 7396. @returns the result; it shares with `target` what the patch does not touch */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJson(patch)) return patch;
  const result: Json = isJson(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

function strategicMerge(target: Json, patch: Json): Json {
  if (patch["$patch"] === "replace") return without(patch, "$patch");
  const result: Json = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith("$")) continue;
    if (value === null) delete result[key];
    else result[key] = strategicValue(key, result[key], value);
  }
  return result;
}

function strategicValue(key: string, old: unknown, value: unknown): unknown {
  const mergeKey = MERGE_KEYS[key];
  if (Array.isArray(value) && mergeKey !== undefined) return mergeList(Array.isArray(old) ? old : [], value, mergeKey);
  if (isJson(value)) return strategicMerge(isJson(old) ? old : {}, value);
  return value;
}

function mergeList(old: readonly unknown[], patch: readonly unknown[], mergeKey: string): unknown[] {
  const result = [...old];
  for (const item of patch.filter(isJson)) {
    const index = result.findIndex((other) => isJson(other) && other[mergeKey] === item[mergeKey]);
    const other = result[index];
    if (item["$patch"] === "delete") result.splice(index, index < 0 ? 0 : 1);
    else if (isJson(other)) result[index] = strategicMerge(other, item);
    else result.push(item);
  }
  return result;
}

/** RFC 6902 without `move` and `copy`. */
function jsonPatch(object: Json, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new StatusError(400, "BadRequest", "a JSON patch must be a list");
  return patch.filter(isJson).reduce<unknown>((target, step) => {
    const path = String(step["path"]).split("/").slice(1).map((part) =>
      part.replaceAll("~1", "/").replaceAll("~0", "~")
    );
    return editAt(target, path, step);
  }, object);
}

function editAt(target: unknown, path: readonly string[], step: Json): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return editValue(target, step);
  if (Array.isArray(target)) return editList(target, path, step);
  if (!isJson(target) || (rest.length > 0 && target[key] === undefined)) throw missing(step);
  if (rest.length > 0) return { ...target, [key]: editAt(target[key], rest, step) };
  if (step["op"] === "remove") return key in target ? without(target, key) : raise(missing(step));
  return { ...target, [key]: editValue(target[key], step) };
}

function editList(target: readonly unknown[], path: readonly string[], step: Json): unknown[] {
  const [key = "", ...rest] = path;
  const index = key === "-" ? target.length : Number(key);
  if (!Number.isInteger(index) || index > target.length) throw missing(step);
  const result = [...target];
  if (rest.length === 0 && step["op"] === "add") result.splice(index, 0, step["value"]);
  else if (index === target.length) throw missing(step);
  else if (rest.length === 0 && step["op"] === "remove") result.splice(index, 1);
  else result[index] = editAt(result[index], rest, step);
  return result;
}

function editValue(old: unknown, step: Json): unknown {
  if (step["op"] === "test" && equalJson(old, step["value"])) return old;
  if (step["op"] === "add") return step["value"];
  if (step["op"] === "replace" && old !== undefined) return step["value"];
  throw missing(step);
}

function missing(step: Json): StatusError {
  return new StatusError(422, "Invalid", `the server rejected our request: cannot ${step["op"]} ${step["path"]}`);
}

function raise(error: Error): never {
  throw error;
}

function without(object: Json, key: string): Json {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}

function expectObject(value: unknown): Json {
  if (!isJson(value)) throw new StatusError(400, "BadRequest", "the patch must yield a JSON object");
  return value;
}
