import type { Command } from "./command.ts";
import { summary } from "./summary.ts";

/** Every command, in the order of the usage text. The first is what `flock inspect` does when it is told nothing. */
export const COMMANDS: readonly [Command, ...Command[]] = [summary];
