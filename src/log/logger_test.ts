import { assertEquals, assertMatch } from "@std/assert";
import { createLogger, LOG_LEVELS } from "./logger.ts";

Deno.test("setLevel() decides what is written from then on, and says so once, also on the way to the tersest", () => {
  const lines: string[] = [];
  const logger = createLogger((line) => lines.push(String(JSON.parse(line).message)), { level: "info", now: () => 0 });
  const heard = (): string[] => {
    for (const level of LOG_LEVELS) logger[level](level);
    return lines.splice(0);
  };
  assertEquals(heard(), ["info", "warn", "error"]);
  for (const [index, level] of LOG_LEVELS.entries()) {
    logger.setLevel(level);
    logger.setLevel(level);
    assertEquals(heard(), ["log level changed", ...LOG_LEVELS.slice(index)], level);
  }
});

Deno.test("a log line is printable ASCII and one line, whatever a pod calls itself, and gives the text back", () => {
  const lines: string[] = [];
  const logger = createLogger((line) => lines.push(line), { level: "info", now: () => 0 });
  const texts = [
    "a\nb\r",
    "\x1b[2J",
    "\u009b2J",
    "\x7f",
    "\u202etxt.exe",
    "\u2028",
    "\0",
    "\u{1f600}",
    "\ud800",
    '"}{',
    "\\u0041",
  ];
  for (const text of texts) {
    logger.info(text, { text, list: [text] });
    const line = lines.pop() ?? "";
    assertMatch(line, /^[\x20-\x7e]+\n$/);
    const { message, text: field, list } = JSON.parse(line);
    assertEquals([message, field, list], [text, text, [text]]);
  }
});
