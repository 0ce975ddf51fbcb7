import { ownValue, parseJsonObject } from "../cnispec/json_value.ts";
import { renderVersions } from "../cnispec/result.ts";

/** VERSION repeats the version on standard input, but must also work where nobody writes to it or closes it. */
const STDIN_MS = 250;

/** What VERSION needs of the process. */
export interface VersionProcess {
  /** Gives up every permission, for good. */
  giveUpEverything(): void;
  /** As stdio.ts has it. */
  peekStdin(ms: number): Promise<Uint8Array>;
  print(text: string): void;
}

/**
 * Answers VERSION (CNI SPEC 1.1.0), which runtimes ask of every plugin. Apart from the other verbs, so that nothing of theirs is
 * loaded for it.
 *
 * @returns the exit code
 */
export async function answerVersion({ giveUpEverything, peekStdin, print }: VersionProcess): Promise<number> {
  giveUpEverything();
  const config = parseJsonObject(new TextDecoder().decode(await peekStdin(STDIN_MS)));
  const version = ownValue(config, "cniVersion");
  print(`${JSON.stringify(renderVersions(typeof version === "string" ? version : undefined))}\n`);
  return 0;
}
