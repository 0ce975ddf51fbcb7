/** What a command makes of what was gathered: a document for programs, and tables for people. */

/** A difference between what should be and what is, or something that an operator should know. */
export interface Finding {
  /** `wrong` makes the exit code 1; a `notice` does not. */
  readonly severity: "wrong" | "notice";
  /** What it is about: `BGP session 192.0.2.1`, `pod default/web-0`. */
  readonly subject: string;
  readonly should: string;
  readonly is: string;
  /** What to do. */
  readonly hint: string;
}

export type Tone = "good" | "bad" | "warn" | "dim";

/** A cell is text, or text with a tone that a terminal shows as colour. */
export type Cell = string | { readonly text: string; readonly tone: Tone };

export interface Column {
  readonly title: string;
  /** Shown with `-o wide` only. */
  readonly wide?: boolean;
}

export interface Section {
  /** Absent: the table stands by itself. */
  readonly title?: string;
  readonly columns: readonly Column[];
  /** As many cells as there are columns. */
  readonly rows: readonly (readonly Cell[])[];
  /** What stands in place of no rows. */
  readonly empty?: string;
}

/** JSON that a command adds to its document. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Report {
  /** The command's own fields of the document; those of every document come from `documentOf`. */
  readonly fields: Fields;
  readonly findings: readonly Finding[];
  readonly sections: readonly Section[];
  /** What was asked for does not exist, or could not be looked at: makes the exit code 2 unless something is wrong. */
  readonly unseen?: string;
}
