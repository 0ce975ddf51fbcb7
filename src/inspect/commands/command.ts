import type { Report } from "../report.ts";
import type { Gathered, SourceName } from "../sources.ts";

/** One command of `flock inspect`. Pure: it gets what was gathered, and asks nobody anything. */
export interface Command {
  readonly name: string;
  /** What stands behind the name on the command line: `NS/NAME`; empty: nothing. */
  readonly parameters: string;
  /** One line of the usage text. */
  readonly summary: string;
  /** @returns what is wrong with the words behind the name; undefined: nothing */
  refuse(words: readonly string[]): string | undefined;
  /** @returns what it has to look at, and nothing more; each name once */
  needs(words: readonly string[]): readonly SourceName[];
  /** @param now milliseconds since the epoch */
  inspect(gathered: Gathered, options: { readonly words: readonly string[]; readonly now: number }): Report;
}

/** For a command that takes no words. */
export function refuseWords(words: readonly string[]): string | undefined {
  return words.length === 0 ? undefined : `it takes no "${words.join(" ")}"`;
}
