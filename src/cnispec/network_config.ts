import { formatProblem } from "../fault/invalid_input.ts";
import type { RpcVerb } from "../rpc/rpc.ts";
import { CNI_CODE, CniError } from "./cni_error.ts";
import { type CniVersion, parseCniVersion } from "./cni_version.ts";
import { isJsonObject, type JsonObject, nestsWithin, ownValue, showValue } from "./json_value.ts";

/** What every verb needs of the network configuration. Keys that flock does not know are ignored. */
export interface NetworkConfig {
  readonly cniVersion: CniVersion;
  /** The network's name. */
  readonly name: string;
  /** The whole document, for the keys of a single verb. */
  readonly document: JsonObject;
}

/** Longest configuration in bytes; GC lists every attachment of the node and may be longer. */
export const MAX_CONFIG_BYTES = 256 << 10;
export const MAX_GC_CONFIG_BYTES = 4 << 20;

const MAX_DEPTH = 32;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,255}$/;
// No path separator: runtimes join it to a directory (CVE-2021-20206).
const TYPE = /^[^/\\\p{Cc}]{1,255}$/u;

/**
 * Checks a parsed network configuration.
 *
 * @throws CniError 6 when it is no object or nests too deep, 1 for its version, 7 for its name or type
 */
export function parseNetworkConfig(raw: unknown, verb: RpcVerb): NetworkConfig {
  if (!isJsonObject(raw)) throw undecodable("it is no JSON object");
  if (!nestsWithin(raw, MAX_DEPTH)) throw undecodable(`it nests deeper than ${MAX_DEPTH} levels`);
  const cniVersion = parseCniVersion(ownValue(raw, "cniVersion"), verb);
  const name = requireText(raw, "name", {
    pattern: NAME,
    rule: "must start with a letter or digit, then those, _ . or -",
  });
  requireText(raw, "type", { pattern: TYPE, rule: "must be the name of an executable, without a path" });
  return { cniVersion, name, document: raw };
}

/** @returns the error for a configuration that is no JSON document of the right form */
export function undecodable(state: string, cause?: unknown): CniError {
  return new CniError(CNI_CODE.decodeFailure, `Cannot decode network configuration: ${state}`, { cause });
}

/** @returns the error for a configuration whose field breaks a rule */
export function invalidConfig(field: string, value: unknown, rule: string): CniError {
  return new CniError(CNI_CODE.invalidNetworkConfig, formatProblem({ field, value: showValue(value), rule }));
}

function requireText(document: JsonObject, key: string, must: { pattern: RegExp; rule: string }): string {
  const value = ownValue(document, key);
  if (typeof value !== "string" || !must.pattern.test(value)) throw invalidConfig(key, value, must.rule);
  return value;
}
