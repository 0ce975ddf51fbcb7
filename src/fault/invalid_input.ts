/** One thing wrong with an input: which field, what it held, and the rule that it breaks. */
export interface Problem {
  /** Where, in the words of whoever wrote it: `spec.cidr4[0]`, `annotation flock.fritzlab.net/ipv6`. */
  readonly field: string;
  /** The offending value as text; long ones are cut when printed. */
  readonly value: string;
  /** The rule, as the end of a sentence: `must be true or false`. */
  readonly rule: string;
}

const MAX_SHOWN = 64;
const MAX_PROBLEMS_SHOWN = 5;

/** Thrown by every parser at the border. Caught where an input is turned into an answer, an Event or a condition. */
export class InvalidInput extends Error {
  override readonly name = "InvalidInput";

  /** @param problems at least one */
  constructor(readonly problems: readonly Problem[]) {
    super(formatProblems(problems));
  }
}

/** @returns the problem as one line, its value quoted, escaped and cut to 64 characters */
export function formatProblem(problem: Problem): string {
  return `${problem.field} ${quote(problem.value)}: ${problem.rule}`;
}

/** @returns the text in double quotes, control and non-ASCII characters escaped, cut to 64 characters */
export function quote(text: string): string {
  return printableJson(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text);
}

/** @returns the value as JSON in printable ASCII */
export function printableJson(value: unknown): string {
  return printable(JSON.stringify(value) ?? "null");
}

/**
 * JSON leaves DEL, C1 controls (U+009B begins a terminal's commands) and the overrides of writing direction as they are: text that
 * shows a reader something else than it says.
 *
 * @returns the text in printable ASCII, all else as JSON escapes it
 */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function formatProblems(problems: readonly Problem[]): string {
  const shown = problems.slice(0, MAX_PROBLEMS_SHOWN).map(formatProblem);
  const more = problems.length - shown.length;
  return more > 0 ? `${shown.join("; ")}; and ${more} more` : shown.join("; ");
}
