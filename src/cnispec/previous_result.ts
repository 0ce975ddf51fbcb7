import { isJsonObject, type JsonObject, ownValue } from "./json_value.ts";
import { invalidConfig } from "./network_config.ts";

/** What an earlier result says of an interface. */
export interface PreviousInterface {
  readonly name: string;
  readonly mac?: string;
  readonly sandbox?: string;
}

/** An earlier result, of any version that flock speaks, as CHECK compares it. Addresses and routes are text as given. */
export interface PreviousResult {
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
    interfaces: listOf(raw, "interfaces").map(([entry, field]) => ({
      name: textOf(entry, "name", field),
      ...optionalText(entry, "mac", field),
      ...optionalText(entry, "sandbox", field),
    })),
    ips: listOf(raw, "ips").map(([entry, field]) => ({
      address: textOf(entry, "address", field),
      ...optionalIndex(entry, field),
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

function optionalIndex(entry: JsonObject, field: string): { interface?: number } {
  const value = ownValue(entry, "interface");
  if (value === undefined || value === null) return {};
  if (!Number.isInteger(value)) throw invalidConfig(`${field}.interface`, value, "must be a whole number");
  return { interface: Number(value) };
}
