import { describeChain, type TableOutline } from "./table_outline.ts";

const HOOK = /^type (\w+) hook (\w+) priority (-?\d+)$/;
const POLICY = /^policy (\w+)$/;

/**
 * Reads the text that makes a table, which is flock's own: the last `table ... { ... }` of it, without comments. Never
 * throws; what it does not understand it leaves out, and the table then looks different from its text.
 */
export function outlineText(text: string): TableOutline {
  const chains = new Map<string, string>();
  const sets = new Map<string, ReadonlySet<string>>();
  const counters = new Set<string>();
  for (const statement of statementsOf(bodyOf(statementsOf(text).at(-1) ?? ""))) {
    const [kind, name = ""] = statement.split(" ", 2);
    if (kind === "chain") chains.set(name, outlineChain(bodyOf(statement)));
    if (kind === "set" || kind === "map") sets.set(name, outlineElements(bodyOf(statement)));
    if (kind === "counter") counters.add(name);
  }
  return { chains, sets, counters };
}

/** @returns what newlines and semicolons outside of braces part, trimmed, the empty ones left out */
function statementsOf(text: string): string[] {
  const found: string[] = [];
  const marks = /[{}\n;]/g;
  let [depth, from] = [0, 0];
  for (let match = marks.exec(text); match !== null; match = marks.exec(text)) {
    if (match[0] === "{") depth++;
    else if (match[0] === "}") depth--;
    else if (depth === 0) {
      found.push(text.slice(from, match.index));
      from = match.index + 1;
    }
  }
  return [...found, text.slice(from)].map((each) => each.trim()).filter((each) => each !== "");
}

function bodyOf(statement: string): string {
  return statement.includes("{") ? statement.slice(statement.indexOf("{") + 1, statement.lastIndexOf("}")) : "";
}

function outlineChain(body: string): string {
  const statements = statementsOf(body);
  const match = (pattern: RegExp): readonly string[] =>
    statements.flatMap((each) => pattern.exec(each)?.slice(1) ?? []);
  const [hook, policy] = [match(HOOK), match(POLICY)];
  const rules = statements.length - (hook.length > 0 ? 1 : 0) - policy.length;
  return describeChain(rules, hook.length === 0 ? undefined : [...hook, ...policy].join(" "));
}

function outlineElements(body: string): ReadonlySet<string> {
  const list = statementsOf(body).find((each) => each.startsWith("elements "));
  return new Set(list && bodyOf(list).replaceAll('"', "").split(",").map((each) => each.trim()));
}
