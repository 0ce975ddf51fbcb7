import { assertEquals, assertMatch } from "@std/assert";
import { createLogger } from "./logger.ts";

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
