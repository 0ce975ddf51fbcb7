import type { LogFields, Logger, LogLevel } from "../log/logger.ts";

/** The log's words for what others changed and the agent put back; the line's field `what` says what it was. */
export const REPAIRED = "repaired";
/** The same of the node as a whole: sysctls, blackholes. */
export const NODE_CHANGED = "node changed";
/** Said of these when they become what they were not to be before: at the agent's start, by a NodeConfig that changed. Nobody meddled. */
export const NODE_MADE = "node made";

/** What of the node was put right. The same word is log field and metric label. */
export type RepairedPart = "links" | "routes" | "guard" | "policies" | "node";

/** One thing that was put right, or that failed. */
export interface JournalEntry {
  /** Wall clock, milliseconds since the epoch. */
  readonly at: number;
  readonly what: string;
}

/** So many of each are kept in full. */
const KEPT = 50;

/**
 * Remembers, of what goes through its logger, what was put right and what went wrong: the last ones in full, all of them by number. A
 * decorator, so that whoever repairs or fails says so once, to the log.
 */
export class Journal {
  /** Hands every line on. */
  readonly logger: Logger;
  readonly #repairs: JournalEntry[] = [];
  readonly #failures: JournalEntry[] = [];
  readonly #repaired = new Map<string, number>();
  readonly #lines = new Map<LogLevel, number>([["warn", 0], ["error", 0]]);

  /** @param wall milliseconds since the epoch */
  constructor(private readonly inner: Logger, private readonly wall: () => number) {
    const pass = (level: LogLevel) => (message: string, fields: LogFields = {}): void => {
      this.#note(level, { message, fields });
      this.inner[level](message, fields);
    };
    this.logger = { debug: pass("debug"), info: pass("info"), warn: pass("warn"), error: pass("error") };
  }

  /** What was put right, the oldest first. */
  get repairs(): readonly JournalEntry[] {
    return this.#repairs;
  }

  /** What went wrong (lines of level warn and error that tell of no repair), the oldest first. */
  get failures(): readonly JournalEntry[] {
    return this.#failures;
  }

  /** part -> how often something of it was put right since the start */
  get repaired(): ReadonlyMap<string, number> {
    return this.#repaired;
  }

  /** level -> how many lines that tell of no repair were logged since the start; of warn and error only */
  get lines(): ReadonlyMap<LogLevel, number> {
    return this.#lines;
  }

  #note(level: LogLevel, { message, fields }: { message: string; fields: LogFields }): void {
    if (message === REPAIRED || message === NODE_CHANGED) {
      const part = String(fields["part"] ?? "node");
      this.#repaired.set(part, (this.#repaired.get(part) ?? 0) + 1);
      this.#keep(this.#repairs, String(fields["what"] ?? ""));
    } else if (level === "warn" || level === "error") {
      this.#lines.set(level, (this.#lines.get(level) ?? 0) + 1);
      this.#keep(this.#failures, describe(message, fields));
    }
  }

  #keep(entries: JournalEntry[], what: string): void {
    entries.push({ at: this.wall(), what });
    if (entries.length > KEPT) entries.shift();
  }
}

function describe(message: string, fields: LogFields): string {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  return known.length === 0 ? message : `${message}: ${known.map(([name, value]) => `${name} ${value}`).join(", ")}`;
}
