import { outlineText } from "../../src/nft/outline_text.ts";
import { describeChain, diffOutlines } from "../../src/nft/table_outline.ts";
import { type Counted, type TextTable, TransactionRefused } from "../../src/nft/text_table.ts";

/** A table in the kernel's memory, which outlives the processes that write it. */
export interface MemoryTable {
  readonly chains: Map<string, string>;
  readonly sets: Map<string, Set<string>>;
  readonly counters: Set<string>;
}

/** What the kernel has by the table's name. */
export interface MemoryTables {
  table: MemoryTable | undefined;
}

const NO_SUCH = "Error: No such file or directory";
const RULES = /(\d+) rules/;
const COMMAND = /^(add|delete|flush) (chain|rule|set|map|element|counter) inet \S+ (\S+)\s*(.*)$/;

/**
 * A TextTable in memory. It understands of nft what flock writes, line by line, and takes a text without looking into
 * its rules.
 */
export class MemoryTextTable implements TextTable {
  /** What was asked of the kernel, in order: `replace`, `change`, `refusal`. Refused ones too. */
  readonly asked: string[] = [];
  /** The text of the last replacement that took effect, and the commands since. */
  readonly written: string[] = [];
  /** A kernel that refuses more than the fake does: returns its complaint about a text or a command. */
  refuses: (text: string) => string | undefined = () => undefined;
  /** Runs before each transaction takes effect: what else happens, or holds it up. */
  before: (what: "replace" | "change") => Promise<void> | void = () => {};

  constructor(readonly kernel: MemoryTables = { table: undefined }) {}

  async replace(text: string): Promise<void> {
    this.asked.push("replace");
    await this.before("replace");
    const complaint = this.#complaint(text);
    if (complaint !== undefined) throw new TransactionRefused("in memory", complaint);
    const { chains, sets, counters } = outlineText(text);
    const copies = [...sets].map(([name, elements]) => [name, new Set(elements)] as const);
    this.kernel.table = { chains: new Map(chains), sets: new Map(copies), counters: new Set(counters) };
    this.written.splice(0, Infinity, text);
  }

  async change(commands: readonly string[]): Promise<void> {
    this.asked.push("change");
    await this.before("change");
    const complaint = commands.map((each) => this.refuses(each)).find((each) => each !== undefined);
    const changed = this.kernel.table && copyOf(this.kernel.table);
    const refused = complaint ??
      (changed === undefined ? NO_SUCH : commands.map((each) => obey(changed, each)).find(Boolean));
    if (refused !== undefined) throw new TransactionRefused("in memory", refused);
    this.kernel.table = changed;
    this.written.push(...commands);
  }

  refusal(text: string): Promise<string | undefined> {
    this.asked.push("refusal");
    return Promise.resolve(this.#complaint(text));
  }

  drift(text: string): Promise<readonly string[] | undefined> {
    const { table } = this.kernel;
    return Promise.resolve(table && diffOutlines(table, outlineText(text)));
  }

  counters(): Promise<ReadonlyMap<string, Counted>> {
    const names = this.kernel.table?.counters ?? [];
    return Promise.resolve(new Map([...names].map((name) => [name, { packets: 0, bytes: 0 }])));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #complaint(text: string): string | undefined {
    const balanced = text.split("{").length === text.split("}").length;
    return balanced ? this.refuses(text) : "Error: syntax error, unexpected end of file";
  }
}

function copyOf({ chains, sets, counters }: MemoryTable): MemoryTable {
  const copies = [...sets].map(([name, elements]) => [name, new Set(elements)] as const);
  return { chains: new Map(chains), sets: new Map(copies), counters: new Set(counters) };
}

/** @returns what nft says when it does not obey */
function obey(table: MemoryTable, command: string): string | undefined {
  const [, verb, kind, name = "", rest = ""] = COMMAND.exec(command) ?? [];
  if (kind === undefined) return "Error: syntax error, unexpected string";
  if (kind === "rule") return table.chains.has(name) ? add(table, `chain ${name} { ${rest}; }`) : NO_SUCH;
  if (kind === "element") return obeyElements(table.sets.get(name), { verb, rest });
  if (verb === "add") return add(table, `${kind} ${name} ${rest === "" ? "{ }" : rest}`);
  const names = kind === "chain" ? table.chains : kind === "counter" ? table.counters : table.sets;
  if (verb === "delete") return names.delete(name) ? undefined : NO_SUCH;
  if (!names.has(name)) return NO_SUCH;
  return void table.chains.set(name, (table.chains.get(name) ?? "").replace(RULES, "0 rules"));
}

/** What is there stays, and gets what it lacks: elements, rules at its end. */
function add({ chains, sets, counters }: MemoryTable, declaration: string): undefined {
  const added = outlineText(`table x { ${declaration} }`);
  for (const [name, looks] of added.chains) {
    const there = chains.get(name) ?? describeChain(0);
    const rules = Number(RULES.exec(there)?.[1]) + Number(RULES.exec(looks)?.[1]);
    chains.set(name, (there.includes(",") ? there : looks).replace(RULES, `${rules} rules`));
  }
  for (const [name, elements] of added.sets) sets.set(name, new Set([...sets.get(name) ?? [], ...elements]));
  for (const name of added.counters) counters.add(name);
}

function obeyElements(
  set: Set<string> | undefined,
  { verb, rest }: { verb: string | undefined; rest: string },
): string | undefined {
  if (set === undefined) return NO_SUCH;
  for (const element of outlineText(`table x { set x { elements = ${rest} } }`).sets.get("x") ?? []) {
    if (verb === "add") set.add(element);
    else if (!set.delete(element)) return NO_SUCH;
  }
  return undefined;
}
