import type { Logger } from "../log/logger.ts";
import { parsePolicyNames, type PolicyNames, renderPolicyNames } from "../policy/policy_names.ts";
import { type JsonMemory, openJsonMemory } from "./json_memory.ts";

/** @param place an absolute path; what `flock inspect` reads */
export function openPolicyNameMemory(place: { path: string; logger: Logger }): JsonMemory<PolicyNames> {
  return openJsonMemory({ ...place, what: "names of policies", parse: parsePolicyNames, render: renderPolicyNames });
}
