import { assertEquals, assertThrows } from "@std/assert";
import { findBlock } from "./readme.ts";

const MARKDOWN =
  "One.\n\n```sh\nfirst\n```\n\n1. Two.\n\n   ```yaml\n   a: 1\n   b:\n     - 2\n   ```\n\n```yaml\nc: 3\n```\n";

Deno.test("findBlock() finds the next block of a language, without its list's indentation", () => {
  assertEquals(findBlock(MARKDOWN, { language: "sh", after: "One." }), "first\n");
  assertEquals(findBlock(MARKDOWN, { language: "yaml", after: "One." }), "a: 1\nb:\n  - 2\n");
  assertEquals(findBlock(MARKDOWN, { language: "yaml", after: "b:" }), "c: 3\n");
});

Deno.test("findBlock() refuses words that are not there once, and a block that is not there", () => {
  for (const [language, after] of [["sh", "Three."], ["sh", "```"], ["sh", "Two."]] as const) {
    assertThrows(() => findBlock(MARKDOWN, { language, after }), Error, "Cannot find");
  }
});
