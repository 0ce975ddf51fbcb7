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

/**
 * By hand: to load `node:util` for its `parseArgs` would take as long as Deno's own start.
 *
 * @returns what to do. @throws for a command line that says nothing of the kind
 */
export function parseInspectArgs(args: readonly string[]): InspectOptions | "help" {
  const { positionals, forms, flags } = sortArgs(args);
  if (flags.has("help")) return "help";
  const [name = COMMANDS[0].name, ...words] = positionals;
  const command = COMMANDS.find((each) => each.name === name);
  if (command === undefined) throw new Error(`Cannot inspect "${name}": there is no such command`);
  const refusal = command.refuse(words);
  if (refusal !== undefined) throw new Error(`Cannot inspect ${name}: ${refusal}`);
  return { command, words, form: parseForm(forms.at(-1) ?? "table"), watch: flags.has("watch") };
}

const FLAGS: Readonly<Record<string, "watch" | "help">> = {
  ...{ "-w": "watch", "--watch": "watch", "-h": "help", "--help": "help" },
};

interface SortedArgs {
  readonly positionals: readonly string[];
  readonly forms: readonly string[];
  readonly flags: ReadonlySet<string>;
}

/** `-o FORM`, `-oFORM`, `--output FORM`, `--output=FORM`; behind `--` there are no options any more. */
function sortArgs(args: readonly string[]): SortedArgs {
  const [positionals, forms, flags]: [string[], string[], Set<string>] = [[], [], new Set()];
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    const flag = FLAGS[arg];
    const joined = /^(?:-o|--output=)(.+)$/.exec(arg)?.[1];
    if (arg === "--") return { positionals: [...positionals, ...args.slice(index + 1)], forms, flags };
    if (flag !== undefined) flags.add(flag);
    else if (joined !== undefined) forms.push(joined);
    else if (arg === "-o" || arg === "--output") forms.push(args[++index] ?? "");
    else if (arg.startsWith("-")) throw new Error(`Cannot inspect: unknown option "${arg}"`);
    else positionals.push(arg);
  }
  return { positionals, forms, flags };
}

function parseForm(text: string): Form {
  const form = FORMS.find((each) => each === text);
  if (form === undefined) throw new Error(`Cannot print "${text}": must be ${FORMS.join(", ")}`);
  return form;
}
