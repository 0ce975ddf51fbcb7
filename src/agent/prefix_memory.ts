import { isLink } from "../file/claim_directory.ts";
import { writeAtomically } from "../file/write_atomically.ts";
import { parsePrefix, type Prefix } from "../ip/address.ts";
import type { Logger } from "../log/logger.ts";

/** Keeps over restarts of the agent where the cluster's pods may be, for as long as the API server says nothing. */
export interface PrefixMemory {
  /** @returns none when nothing is remembered that can be used */
  load(): readonly Prefix[];
  /** Durable when it resolves. @throws Deno's errors */
  save(prefixes: readonly Prefix[]): Promise<void>;
}

/** @param path an absolute path; the file holds a JSON array of texts */
export function openPrefixMemory({ path, logger }: { path: string; logger: Logger }): PrefixMemory {
  return {
    load: () => {
      if (isLink(path)) return [];
      try {
        return parsePrefixes(JSON.parse(Deno.readTextFileSync(path)));
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return [];
        if (!(error instanceof SyntaxError)) throw error;
        logger.warn("remembered prefixes not used", { path, reason: error.message });
        return [];
      }
    },
    save: (prefixes) =>
      writeAtomically(path, { text: `${JSON.stringify(prefixes.map(({ text }) => text))}\n`, mode: 0o600 }),
  };
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
