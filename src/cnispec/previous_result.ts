import { isJsonObject, type JsonObject, ownValue } from "./json_value.ts";
import { invalidConfig } from "./network_config.ts";

/** What an earlier result says of an interface. */
export interface PreviousInterface {
  readonly name: string;
  readonly mac?: string;
  readonly sandbox?: string;
  /** Bytes; in results of 1.1.0 only, and of plugins that tell. */
  readonly mtu?: number;
}

/** An earlier result, of any version that flock speaks. Addresses and routes are text as given. */
export interface PreviousResult {
  /** The result itself, for the plugin that has to pass it on. */
  readonly document: JsonObject;
  readonly interfaces: readonly PreviousInterface[];
  readonly ips: readonly {
    /** `address/length` */
    readonly address: string;
    /** Index into `interfaces`. */
    readonly interface?: number;
  }[];
  readonly routes: readonly { readonly dst: string; readonly gw?: string }[];
}

/**
 * Reads the `prevResult` of a configuration.
 *
 * @returns undefined when there is none
 * @throws CniError 7 that names the field
 */
export function parsePreviousResult(config: JsonObject): PreviousResult | undefined {
  const raw = ownValue(config, "prevResult");
  if (raw === undefined || raw === null) return undefined;
  if (!isJsonObject(raw)) throw invalidConfig("prevResult", raw, "must be an object");
  return {
    document: raw,
    interfaces: listOf(raw, "interfaces").map(([entry, field]) => ({
      name: textOf(entry, "name", field),
      ...optionalText(entry, "mac", field),
      ...optionalText(entry, "sandbox", field),
      ...optionalCount(entry, "mtu", field),
    })),
    ips: listOf(raw, "ips").map(([entry, field]) => ({
      address: textOf(entry, "address", field),
      ...optionalCount(entry, "interface", field),
    })),
    routes: listOf(raw, "routes").map(([entry, field]) => ({
      dst: textOf(entry, "dst", field),
      ...optionalText(entry, "gw", field),
    })),
  };
}

function listOf(result: JsonObject, key: string): [JsonObject, string][] {
  const list = ownValue(result, key) ?? [];
  if (!Array.isArray(list)) throw invalidConfig(`prevResult.${key}`, list, "must be a list");
  return list.map((entry: unknown, index) => {
    const field = `prevResult.${key}[${index}]`;
    if (!isJsonObject(entry)) throw invalidConfig(field, entry, "must be an object");
    return [entry, field];
  });
}

function textOf(entry: JsonObject, key: string, field: string): string {
  const value = ownValue(entry, key);
  if (typeof value !== "string" || value === "") throw invalidConfig(`${field}.${key}`, value, "must be text");
  return value;
}

function optionalText<K extends string>(entry: JsonObject, key: K, field: string): { [key in K]?: string } {
  const value = ownValue(entry, key) ?? "";
  if (typeof value !== "string") throw invalidConfig(`${field}.${key}`, value, "must be text");
  const found: { [key in K]?: string } = {};
  if (value !== "") found[key] = value;
  return found;
}

function optionalCount<K extends string>(entry: JsonObject, key: K, field: string): { [key in K]?: number } {
  const value = ownValue(entry, key);
  const found: { [key in K]?: number } = {};
  if (value === undefined || value === null) return found;
  if (!Number.isInteger(value)) throw invalidConfig(`${field}.${key}`, value, "must be a whole number");
  found[key] = Number(value);
  return found;
}
