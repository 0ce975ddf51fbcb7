import type { Logger } from "../log/logger.ts";
import { openJsonMemory } from "./json_memory.ts";

/** Keeps over restarts of the agent which namespaces had policies when the API server was last heard. */
export interface PolicyMemory {
  /** @returns undefined when nobody knows: any may have */
  load(): ReadonlySet<string> | undefined;
  /** Durable when it resolves. @throws Deno's errors */
  save(namespaces: ReadonlySet<string>): Promise<void>;
}

/** @param place an absolute path; the file holds a JSON array of names */
export function openPolicyMemory(place: { path: string; logger: Logger }): PolicyMemory {
  return openJsonMemory<ReadonlySet<string>>({
    ...{ ...place, what: "namespaces with policies", parse: parseNames },
    render: (namespaces) => [...namespaces].sort(),
  });
}

/** @throws SyntaxError when it is not what `save` writes */
function parseNames(value: unknown): Set<string> {
  const names: readonly unknown[] = Array.isArray(value) ? value : [value];
  return new Set(names.map((name) => {
    if (typeof name !== "string") throw new SyntaxError(`${JSON.stringify(name)} is no name`);
    return name;
  }));
}
