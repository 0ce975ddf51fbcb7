import { printableJson } from "../fault/invalid_input.ts";

/** Values that a log line may carry. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined | readonly string[]>>;

/** From the wordiest to the tersest. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Writes one line per decision that changed something. Never throws. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A logger whose level can be changed while others use it. */
export interface LevelledLogger extends Logger {
  /** From now on lines of this level and worse are written. A change is a line itself, whatever the level. */
  setLevel(level: LogLevel): void;
}

/**
 * A logger that writes JSON lines in printable ASCII, whatever text a pod chose: no line breaks, no terminal obeys it.
 *
 * @param write gets one line with its newline; must not throw, for the logger's callers rely on that
 * @param options the lowest level that is written, and the time for the `time` field (milliseconds since the epoch)
 */
export function createLogger(
  write: (line: string) => void,
  options: { level: LogLevel; now: () => number },
): LevelledLogger {
  let lowest = options.level;
  const put = (level: LogLevel, message: string, fields: LogFields): void =>
    write(`${printableJson({ time: new Date(options.now()).toISOString(), level, message, ...fields })}\n`);
  const at = (level: LogLevel) => (message: string, fields: LogFields = {}): void => {
    if (LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(lowest)) put(level, message, fields);
  };
  const setLevel = (to: LogLevel): void => {
    if (to === lowest) return;
    put("info", "log level changed", { from: lowest, to });
    lowest = to;
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), setLevel };
}
