import type { NodeDependencies } from "../../src/agent/assemble_node.ts";
import { MemorySources } from "./memory_sources.ts";
import { MemoryTextTable } from "./memory_text_table.ts";

/** @returns what a node has to do with policies in a cluster that has none: nothing */
export function idlePolicies(): Pick<NodeDependencies, "sources" | "policyTable" | "policyMemory" | "policyNames"> {
  return {
    sources: new MemorySources(),
    policyTable: new MemoryTextTable(),
    policyMemory: { load: () => new Set<string>(), save: () => Promise.resolve() },
    policyNames: { save: () => Promise.resolve() },
  };
}
