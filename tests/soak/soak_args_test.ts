import { assertEquals } from "@std/assert";
import { parseSoakArgs } from "./soak_args.ts";

const DEFAULTS = { seed: 5, file: "dist/soak.json" };

Deno.test("parseSoakArgs() takes minutes, and a seed and a file where they are given", () => {
  assertEquals(parseSoakArgs(["--minutes", "30"], DEFAULTS), { minutes: 30, ...DEFAULTS });
  assertEquals(parseSoakArgs(["--seed", "7", "--minutes", "0.5", "--file", "x"], DEFAULTS), {
    ...{ minutes: 0.5, seed: 7, file: "x" },
  });
});

Deno.test("parseSoakArgs() refuses what it does not know", () => {
  for (
    const args of ["", "--minutes", "--minutes x", "--minutes 0", "--minutes 1 --seed 4294967296", "--minutes 1 --x y"]
  ) {
    assertEquals(parseSoakArgs(args.split(" "), DEFAULTS), undefined, args);
  }
});
