import { assert, assertStringIncludes } from "@std/assert";
import { runProgram } from "./run_deno.ts";

const BUILD = new URL("./build.ts", import.meta.url).pathname;

Deno.test("build refuses an ordinary deno as DENORT_BIN, with a fallback and without, and makes nothing", async () => {
  const directory = await Deno.makeTempDir();
  try {
    for (const mode of [[], ["--compile-only"]]) {
      const env = { ...Deno.env.toObject(), DENORT_BIN: Deno.execPath() };
      const args = ["run", "-A", BUILD, ...mode, "--output", `${directory}/flock`];
      const { ok, output } = await runProgram(Deno.execPath(), { args, env });
      assert(!ok);
      assertStringIncludes(output, "is an ordinary deno, not a denort");
    }
    assert([...Deno.readDirSync(directory)].length === 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("build refuses arguments that it does not know", async () => {
  const { ok, output } = await runProgram(Deno.execPath(), { args: ["run", "-A", BUILD, "--compile"] });
  assert(!ok);
  assertStringIncludes(output, "usage is build.ts");
});
