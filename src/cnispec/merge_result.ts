import { isJsonObject, type JsonObject, ownValue } from "./json_value.ts";

/**
 * Adds what flock made to what earlier plugins of the chain made (SPEC 1.1.0, "Success": a plugin must output the `prevResult` that
 * it was given, with its own changes). What was there keeps its place, so that indices into it stay right, and every key that flock
 * does not know.
 *
 * @param previous checked by `parsePreviousResult`
 * @param own as `renderResult` makes it, in the same version
 */
export function mergeResult(previous: JsonObject, own: JsonObject): Record<string, unknown> {
  const interfaces = listOf(previous, "interfaces");
  const shifted = listOf(own, "ips").map((ip) => shiftIndex(ip, interfaces.length));
  return {
    ...previous,
    ...own,
    interfaces: [...interfaces, ...listOf(own, "interfaces")],
    ips: [...listOf(previous, "ips"), ...shifted],
    routes: [...listOf(previous, "routes"), ...listOf(own, "routes")],
    dns: ownValue(previous, "dns") ?? ownValue(own, "dns"),
  };
}

function listOf(result: JsonObject, key: string): readonly unknown[] {
  const list = ownValue(result, key);
  return Array.isArray(list) ? list : [];
}

function shiftIndex(ip: unknown, by: number): unknown {
  return isJsonObject(ip) ? { ...ip, interface: Number(ownValue(ip, "interface")) + by } : ip;
}
