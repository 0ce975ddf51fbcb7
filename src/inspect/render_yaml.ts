import { printable } from "../fault/invalid_input.ts";

/**
 * @param value JSON: null, texts, numbers, truth values, lists, objects; a field that is undefined is left out
 * @returns YAML 1.2 that says the same, with its last newline. Texts are quoted as in JSON, which YAML reads too,
 * and printable ASCII whatever is in them
 */
export function renderYaml(value: unknown): string {
  return `${linesOf(value).map(printableYaml).join("\n")}\n`;
}

/** YAML has no pairs of surrogates, other than JSON: a character beyond 16 bits is one escape. */
function printableYaml(line: string): string {
  const wide = /[\u{10000}-\u{10ffff}]/gu;
  return printable(line.replace(wide, (c) => `\\U${c.codePointAt(0)?.toString(16).padStart(8, "0")}`));
}

function linesOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.length === 0 ? ["[]"] : value.flatMap(itemOf);
  if (typeof value !== "object" || value === null) return [JSON.stringify(value)];
  const fields = Object.entries(value).filter(([, held]) => held !== undefined);
  return fields.length === 0 ? ["{}"] : fields.flatMap(([key, held]) => fieldOf(keyOf(key), held));
}

function itemOf(value: unknown): string[] {
  return linesOf(value).map((line, index) => `${index === 0 ? "- " : "  "}${line}`);
}

function fieldOf(key: string, value: unknown): string[] {
  const lines = linesOf(value);
  return isBlock(value) ? [`${key}:`, ...lines.map((line) => `  ${line}`)] : [`${key}: ${lines[0]}`];
}

function isBlock(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

/** `y`, `no` and the like mean something else to YAML 1.1, as most readers of it are. */
function keyOf(key: string): string {
  return /^[a-zA-Z][a-zA-Z0-9_]{3,}$/.test(key) && !/^(true|false|null)$/i.test(key) ? key : JSON.stringify(key);
}
