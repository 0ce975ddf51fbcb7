import { printableJson } from "../fault/invalid_input.ts";

/** Values that a log line may carry. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined | readonly string[]>>;

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Writes one line per decision that changed something. Never throws. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const ORDER: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/**
 * A logger that writes JSON lines in printable ASCII, whatever text a pod chose: no line breaks, no terminal obeys it.
 *
 * @param write gets one line with its newline; must not throw, for the logger's callers rely on that
 * @param options the lowest level that is written, and the time for the `time` field (milliseconds since the epoch)
 */
export function createLogger(
  write: (line: string) => void,
  options: { level: LogLevel; now: () => number },
): Logger {
  const at = (level: LogLevel) => (message: string, fields: LogFields = {}): void => {
    if (ORDER.indexOf(level) < ORDER.indexOf(options.level)) return;
    write(`${printableJson({ time: new Date(options.now()).toISOString(), level, message, ...fields })}\n`);
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
