import { InvalidInput } from "../fault/invalid_input.ts";
import { isLink } from "../file/claim_directory.ts";
import { writeAtomically } from "../file/write_atomically.ts";
import type { Logger } from "../log/logger.ts";

/** A value that is kept in a file over restarts of the agent. */
export interface JsonMemory<T> {
  /** @returns undefined when there is none that can be used */
  load(): T | undefined;
  /** Durable when it resolves. @throws Deno's errors */
  save(value: T): Promise<void>;
}

export interface JsonMemoryOptions<T> {
  /** Absolute. */
  readonly path: string;
  /** What the log calls the value. */
  readonly what: string;
  readonly logger: Logger;
  /** @throws InvalidInput or SyntaxError for what `render` does not make */
  parse(raw: unknown): T;
  render(value: T): unknown;
}

/** @returns the memory; it does not follow a link that somebody put in the file's place */
export function openJsonMemory<T>({ path, what, logger, parse, render }: JsonMemoryOptions<T>): JsonMemory<T> {
  return {
    load: () => {
      if (isLink(path)) return undefined;
      try {
        return parse(JSON.parse(Deno.readTextFileSync(path)));
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        if (!(error instanceof InvalidInput || error instanceof SyntaxError)) throw error;
        logger.warn(`remembered ${what} not used`, { path, reason: error.message });
        return undefined;
      }
    },
    save: (value) => writeAtomically(path, { text: `${JSON.stringify(render(value))}\n`, mode: 0o600 }),
  };
}
