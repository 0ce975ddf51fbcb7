import { type Belief, beliefOf } from "./belief.ts";
import type { Fields, Finding, Report } from "./report.ts";
import { failureOf, type Gathered } from "./sources.ts";

/** The form of the documents; fields are only ever added within one version. */
export const DOCUMENT_VERSION = "flock.fritzlab.net/inspect/v1";

/** Exit codes: all is well, something is wrong, could not look. */
export type Verdict = "well" | "wrong" | "unseen";

export const EXIT_CODES: Readonly<Record<Verdict, number>> = { well: 0, wrong: 1, unseen: 2 };

/** What every command prints with `-o json` or `-o yaml`, before its own fields. */
export interface Document {
  readonly apiVersion: typeof DOCUMENT_VERSION;
  readonly command: string;
  readonly at: string;
  /** The node's name; absent: nobody knows it. */
  readonly node?: string;
  /** By whose word it is known what should be: `agent`, the `files` that it has left, or `nothing`. */
  readonly knownFrom: Belief["from"];
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
  /** What nobody could look at: source -> why. */
  readonly unseen: Readonly<Record<string, string>>;
}

/** What is wrong is known for certain, whatever else could not be seen. */
export function verdictOf({ findings, unseen }: Report, gathered: Gathered): Verdict {
  if (findings.some(({ severity }) => severity === "wrong")) return "wrong";
  return unseen !== undefined || Object.keys(unseenIn(gathered)).length > 0 ? "unseen" : "well";
}

export function documentOf(
  report: Report,
  { command, gathered, now }: { command: string; gathered: Gathered; now: number },
): Document & Fields {
  const { node, from } = beliefOf(gathered);
  return {
    apiVersion: DOCUMENT_VERSION,
    command,
    at: new Date(now).toISOString(),
    ...(node === undefined ? {} : { node }),
    knownFrom: from,
    verdict: verdictOf(report, gathered),
    findings: report.findings,
    unseen: { ...unseenIn(gathered), ...(report.unseen === undefined ? {} : { [command]: report.unseen }) },
    ...report.fields,
  };
}

/** @returns source -> why it could not be looked at */
export function unseenIn(gathered: Gathered): Record<string, string> {
  const failures = Object.entries(gathered).flatMap(([name, look]) => {
    const failure = failureOf(look);
    return failure === undefined ? [] : [[name, failure] as const];
  });
  return Object.fromEntries(failures);
}
