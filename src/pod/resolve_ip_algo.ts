import { quote } from "../fault/invalid_input.ts";
import { annotationField, SIZE_RULE, splitList } from "./annotations.ts";

/** The pod's names that may go into its IPv6 address. */
export interface PodNames {
  /** Empty when the runtime passed none. */
  readonly namespace: string;
  readonly name: string;
  /** Of the first container. */
  readonly image?: string;
}

/** One `ip-algo` text and where it is written. */
export interface IpAlgoSource {
  readonly where: "pod" | "NodeConfig";
  readonly text: string;
}

const TEXT_OF: ReadonlyMap<string, (names: PodNames) => string> = new Map([
  ["namespace", ({ namespace }) => namespace],
  ["pod", ({ name }) => name],
  ["image", ({ image }) => image ?? ""],
]);

/**
 * Chooses what goes into the IPv6 host bits (spec section 3): the first of the sources that is valid. One that is not is passed over with
 * a warning, never an error.
 *
 * @param sources in order of precedence
 * @returns the texts to embed, in order; none: all host bits are random
 */
export function resolveIpAlgo(
  sources: readonly IpAlgoSource[],
  names: PodNames,
): { readonly identity: readonly string[]; readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  for (const { where, text } of sources) {
    const outcome = identityFrom(text, names);
    if ("identity" in outcome) return { identity: outcome.identity, warnings };
    warnings.push(`${annotationField("ip-algo")} ${quote(text)} of the ${where} is ignored: it ${outcome.rule}`);
  }
  return { identity: [], warnings };
}

function identityFrom(text: string, names: PodNames): { identity: readonly string[] } | { rule: string } {
  const fields = splitList(text);
  if (fields === undefined) return { rule: SIZE_RULE };
  const known = fields.every((field) => TEXT_OF.has(field));
  if (!known || fields.length === 0 || new Set(fields).size < fields.length) {
    return { rule: `must list one or more of ${[...TEXT_OF.keys()].join(", ")}, each once` };
  }
  const identity = fields.map((field) => TEXT_OF.get(field)?.(names) ?? "");
  const missing = fields.filter((_, i) => identity[i] === "");
  return missing.length === 0
    ? { identity }
    : { rule: `must only list what is known of the pod, not ${missing.join(", ")}` };
}
