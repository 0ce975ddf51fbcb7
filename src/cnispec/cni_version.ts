import { formatProblem } from "../fault/invalid_input.ts";
import { CNI_CODE, CniError } from "./cni_error.ts";

/** The versions of the CNI specification that flock speaks, oldest first. */
export const CNI_VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
export type CniVersion = typeof CNI_VERSIONS[number];

/** What flock says it speaks where nobody asked for a version. */
export const NEWEST_VERSION: CniVersion = "1.1.0";

/** A configuration without `cniVersion` is one of 0.1.0 (SPEC 1.1.0, "Configuration format"). */
const IMPLIED_VERSION = "0.1.0";

// verb -> the version that introduced it
const INTRODUCED: Readonly<Record<string, CniVersion>> = { CHECK: "0.4.0", GC: "1.1.0", STATUS: "1.1.0" };

/**
 * Reads a configuration's `cniVersion` for a verb.
 *
 * @throws CniError 6 when it is no text, 1 when flock does not speak it or it does not have the verb
 */
export function parseCniVersion(raw: unknown, verb: string): CniVersion {
  const text = raw === undefined ? IMPLIED_VERSION : raw;
  if (typeof text !== "string") {
    throw new CniError(CNI_CODE.decodeFailure, "Cannot decode network configuration: cniVersion must be text");
  }
  const version = CNI_VERSIONS.find((known) => known === text);
  if (version === undefined) throw incompatible(text, `must be one of ${CNI_VERSIONS.join(", ")}`);
  const since = INTRODUCED[verb];
  if (since !== undefined && isOlder(version, since)) throw incompatible(text, `must be ${since} or newer for ${verb}`);
  return version;
}

/** Says whether the first version came before the second. */
export function isOlder(version: CniVersion, than: CniVersion): boolean {
  return CNI_VERSIONS.indexOf(version) < CNI_VERSIONS.indexOf(than);
}

function incompatible(value: string, rule: string): CniError {
  return new CniError(CNI_CODE.incompatibleVersion, formatProblem({ field: "cniVersion", value, rule }));
}
