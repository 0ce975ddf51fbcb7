import type { Command } from "./commands/command.ts";
import { documentOf, type Verdict, verdictOf } from "./document.ts";
import type { Cell, Fields, Report } from "./report.ts";
import type { Document } from "./document.ts";
import { gather, type Gathered, type SourceReaders } from "./sources.ts";

/** What one look came to. */
export interface Looked {
  readonly report: Report;
  readonly document: Document & Fields;
  readonly verdict: Verdict;
  readonly headline: Cell;
}

export interface LookOptions {
  readonly command: Command;
  readonly words: readonly string[];
  /** Made anew for each look: a look asks nobody twice. */
  readers(): SourceReaders;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Waits before the second look. */
  pause(): Promise<void>;
}

/**
 * Looks, and where something is wrong looks again: the agent's word and the kernel are not read in the same instant, and
 * a pod that comes or goes in between would look like a fault. What only one of the two looks shows is left out.
 */
export async function look(options: LookOptions): Promise<Looked> {
  const first = await lookOnce(options);
  if (verdictOf(first.report, first.gathered) !== "wrong") return toldOf(first, options);
  await options.pause();
  const second = await lookOnce(options);
  const subjects = new Set(first.report.findings.map(({ subject }) => subject));
  const findings = second.report.findings.filter(({ subject }) => subjects.has(subject));
  return toldOf({ ...second, report: { ...second.report, findings } }, options);
}

interface Once {
  readonly gathered: Gathered;
  readonly report: Report;
}

async function lookOnce({ command, words, readers, now }: LookOptions): Promise<Once> {
  const gathered = await gather(command.needs(words), readers());
  return { gathered, report: command.inspect(gathered, { words, now: now() }) };
}

function toldOf({ gathered, report }: Once, { command, now }: LookOptions): Looked {
  const verdict = verdictOf(report, gathered);
  const document = documentOf(report, { command: command.name, gathered, now: now() });
  return { report, document, verdict, headline: headlineOf(document) };
}

function headlineOf({ verdict, findings, unseen, node: name }: Document): Cell {
  const node = name === undefined ? "" : `${name}: `;
  const blind = Object.entries(unseen).map(([name, why]) => `${name}: ${why}`).join("; ");
  const lacking = blind === "" ? "" : `; could not look at ${blind}`;
  const wrong = findings.filter(({ severity }) => severity === "wrong").length;
  if (verdict === "wrong") return { text: `${node}${wrong} wrong${lacking}`, tone: "bad" };
  if (verdict === "unseen") return { text: `${node}nothing wrong was seen${lacking}`, tone: "warn" };
  return { text: `${node}all is well`, tone: "good" };
}
