import { formatProblem } from "../fault/invalid_input.ts";
import { CNI_CODE, CniError } from "./cni_error.ts";

/** The pod that a container belongs to, as the runtime names it in CNI_ARGS. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  /** For a static pod it is kubelet's hash, not the UID of the mirror. */
  readonly uid: string;
}

const POD_KEYS = ["K8S_POD_NAMESPACE", "K8S_POD_NAME", "K8S_POD_UID"] as const;
const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";

// key -> what its value must look like (RFC 1123 for names)
const KNOWN: Readonly<Record<string, { pattern: RegExp; rule: string }>> = {
  K8S_POD_NAMESPACE: { pattern: new RegExp(`^${LABEL}$`), rule: "must be a DNS-1123 label" },
  K8S_POD_NAME: {
    pattern: new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*$`),
    rule: "must be a DNS-1123 subdomain",
  },
  K8S_POD_UID: { pattern: /^[0-9a-zA-Z-]{1,64}$/, rule: "must be 1 to 64 letters, digits or dashes" },
  K8S_POD_INFRA_CONTAINER_ID: { pattern: /^[a-zA-Z0-9_.-]{0,128}$/, rule: "must be a container id" },
  IgnoreUnknown: { pattern: /^(?:0|1|true|false)$/i, rule: "must be 0, 1, true or false" },
};

/**
 * Reads CNI_ARGS, `K=V;K2=V2`, as libcni does: each pair has exactly one `=`, and a key that flock does not know is an error
 * unless `IgnoreUnknown` is 1 or true.
 *
 * @returns the pod; undefined when none is named (cnitool)
 * @throws CniError 4, also when a pod is named by halves
 */
export function parseCniArgs(text: string): PodIdentity | undefined {
  const pairs = new Map(text.split(";").filter((pair) => pair !== "").map(splitPair));
  const ignoreUnknown = /^(?:1|true)$/i.test(pairs.get("IgnoreUnknown") ?? "");
  for (const [key, value] of pairs) checkPair([key, value], ignoreUnknown);
  if (!POD_KEYS.some((key) => pairs.has(key))) return undefined;
  return {
    namespace: requirePair(pairs, "K8S_POD_NAMESPACE"),
    name: requirePair(pairs, "K8S_POD_NAME"),
    uid: requirePair(pairs, "K8S_POD_UID"),
  };
}

function requirePair(pairs: ReadonlyMap<string, string>, key: string): string {
  const value = pairs.get(key);
  if (value === undefined) throw invalidArgs(key, "", `must be given, as ${POD_KEYS.join(", ")} all are or none is`);
  return value;
}

function splitPair(pair: string): [string, string] {
  const [key, value, ...more] = pair.split("=");
  if (key === undefined || value === undefined || more.length > 0) {
    throw new CniError(
      CNI_CODE.invalidEnvironment,
      formatProblem({ field: "CNI_ARGS", value: pair, rule: "must be KEY=VALUE pairs between semicolons" }),
    );
  }
  return [key, value];
}

function checkPair([key, value]: readonly [string, string], ignoreUnknown: boolean): void {
  const known = Object.hasOwn(KNOWN, key) ? KNOWN[key] : undefined;
  if (known === undefined && !ignoreUnknown) {
    const rule = "must have known keys, unless IgnoreUnknown=1 is among them";
    throw new CniError(CNI_CODE.invalidEnvironment, formatProblem({ field: "CNI_ARGS", value: key, rule }));
  }
  if (known !== undefined && !known.pattern.test(value)) throw invalidArgs(key, value, known.rule);
}

function invalidArgs(key: string, value: string, rule: string): CniError {
  return new CniError(CNI_CODE.invalidEnvironment, formatProblem({ field: `CNI_ARGS ${key}`, value, rule }));
}
