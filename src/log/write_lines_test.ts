import { assertEquals } from "@std/assert";
import { createLogger } from "./logger.ts";
import { writeLinesTo } from "./write_lines.ts";

Deno.test("writeLinesTo() writes what a sink took only in part", () => {
  let written = "";
  const write = writeLinesTo({
    writeSync: (bytes) => {
      const taken = bytes.subarray(0, 3);
      written += new TextDecoder().decode(taken);
      return taken.length;
    },
  });
  write("one line\n");
  assertEquals(written, "one line\n");
});

Deno.test("a logger does not throw when the reader of its lines is gone, and goes on when there is one again", () => {
  let gone = true;
  let lines = 0;
  const sink = {
    writeSync: (bytes: Uint8Array): number => {
      if (gone) throw new Deno.errors.BrokenPipe("Broken pipe");
      lines++;
      return bytes.length;
    },
  };
  const logger = createLogger(writeLinesTo(sink), { level: "info", now: () => 0 });
  logger.error("lost");
  gone = false;
  logger.error("kept");
  assertEquals(lines, 1);
});
