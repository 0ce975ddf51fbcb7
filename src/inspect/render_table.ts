import { printable } from "../fault/invalid_input.ts";
import type { Cell, Finding, Report, Section, Tone } from "./report.ts";

export interface TableOptions {
  /** Whether the terminal takes colours. */
  readonly colour: boolean;
  readonly wide: boolean;
}

/** @param noColor of the environment, see no-color.org: any text but none is a no */
export function takesColour(
  { isTerminal, noColor = "" }: { isTerminal: boolean; noColor?: string | undefined },
): boolean {
  return isTerminal && noColor === "";
}

const CODES: Readonly<Record<Tone, string>> = { good: "32", bad: "31", warn: "33", dim: "2" };
const GAP = "  ";

/**
 * Findings first: whoever looks at three in the morning sees the cause on the first screen. Pods choose texts that come here, by way
 * of names, annotations and errors: no terminal shall obey them.
 *
 * @param headline one line, which says whether all is well
 * @returns the text, with its last newline
 */
export function renderReport(headline: Cell, { findings, sections }: Report, options: TableOptions): string {
  const blocks = [
    [paint(headline, options)],
    findings.flatMap((finding) => renderFinding(finding, options)),
    ...sections.map((section) => renderSection(section, options)),
  ];
  return `${blocks.filter((lines) => lines.length > 0).map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function renderFinding({ severity, subject, should, is, hint }: Finding, options: TableOptions): string[] {
  const mark: Cell = severity === "wrong" ? { text: "WRONG", tone: "bad" } : { text: "note ", tone: "warn" };
  const said = should === "" ? is : `should ${should}, but ${is}`;
  return [
    `${paint(mark, options)} ${printable(subject)}: ${printable(said)}`,
    ...(hint === "" ? [] : [`      ${paint({ text: `-> ${hint}`, tone: "dim" }, options)}`]),
  ];
}

function renderSection({ title, columns, rows, empty = "none" }: Section, options: TableOptions): string[] {
  const heading = title === undefined ? [] : [title];
  if (rows.length === 0) return [...heading, `${title === undefined ? "" : GAP}${empty}`];
  const shown = columns.flatMap((column, index) => column.wide === true && !options.wide ? [] : [index]);
  const head: Cell[] = columns.map((column) => ({ text: column.title.toUpperCase(), tone: "dim" }));
  const lines = [head, ...rows].map((row) => shown.map((index) => row[index] ?? ""));
  const widths = shown.map((_, index) => Math.max(...lines.map((row) => textOf(row[index] ?? "").length)));
  const indent = title === undefined ? "" : GAP;
  return [...heading, ...lines.map((row) => `${indent}${renderRow(row, { widths, options })}`)];
}

function renderRow(
  row: readonly Cell[],
  { widths, options }: { widths: readonly number[]; options: TableOptions },
): string {
  const last = row.length - 1;
  return row.map((cell, index) => {
    const padding = index === last ? "" : " ".repeat((widths[index] ?? 0) - textOf(cell).length);
    return `${paint(cell, options)}${padding}`;
  }).join(GAP).trimEnd();
}

function paint(cell: Cell, { colour }: TableOptions): string {
  const text = textOf(cell);
  return typeof cell === "string" || !colour || text === "" ? text : `\x1b[${CODES[cell.tone]}m${text}\x1b[0m`;
}

function textOf(cell: Cell): string {
  return printable(typeof cell === "string" ? cell : cell.text);
}
