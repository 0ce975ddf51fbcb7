import { parseArgs } from "node:util";
import type { Command } from "./commands/command.ts";
import { COMMANDS } from "./commands/commands.ts";

const FORMS = ["table", "wide", "json", "yaml"] as const;
export type Form = typeof FORMS[number];

export interface InspectOptions {
  readonly command: Command;
  readonly words: readonly string[];
  readonly form: Form;
  readonly watch: boolean;
}

/** @returns what to do. @throws for a command line that says nothing of the kind */
export function parseInspectArgs(args: readonly string[]): InspectOptions | "help" {
  const options = {
    output: { type: "string", short: "o", default: "table" },
    watch: { type: "boolean", short: "w", default: false },
    help: { type: "boolean", short: "h", default: false },
  } as const;
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  if (values.help) return "help";
  const [name = COMMANDS[0].name, ...words] = positionals;
  const command = COMMANDS.find((each) => each.name === name);
  if (command === undefined) throw new Error(`Cannot inspect "${name}": there is no such command`);
  const refusal = command.refuse(words);
  if (refusal !== undefined) throw new Error(`Cannot inspect ${name}: ${refusal}`);
  const form = FORMS.find((each) => each === values.output);
  if (form === undefined) throw new Error(`Cannot print "${values.output}": must be ${FORMS.join(", ")}`);
  return { command, words, form, watch: values.watch };
}
