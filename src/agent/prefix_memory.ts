import { parsePrefix, type Prefix } from "../ip/address.ts";
import type { Logger } from "../log/logger.ts";
import { openJsonMemory } from "./json_memory.ts";

/** Keeps over restarts of the agent where the cluster's pods may be, for as long as the API server says nothing. */
export interface PrefixMemory {
  /** @returns none when nothing is remembered that can be used */
  load(): readonly Prefix[];
  /** Durable when it resolves. @throws Deno's errors */
  save(prefixes: readonly Prefix[]): Promise<void>;
}

/** @param path an absolute path; the file holds a JSON array of texts */
export function openPrefixMemory(place: { path: string; logger: Logger }): PrefixMemory {
  const { load, save } = openJsonMemory<readonly Prefix[]>({
    ...{ ...place, what: "prefixes", parse: parsePrefixes },
    render: (prefixes) => prefixes.map(({ text }) => text),
  });
  return { load: () => load() ?? [], save };
}

/** @throws SyntaxError when it is not what `save` writes */
function parsePrefixes(value: unknown): Prefix[] {
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
  return texts.map((text) => {
    const prefix = typeof text === "string" ? parsePrefix(text) : undefined;
    if (prefix === undefined) throw new SyntaxError(`${JSON.stringify(text)} is no prefix`);
    return prefix;
  });
}
