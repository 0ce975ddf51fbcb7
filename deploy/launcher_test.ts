import { assertEquals, assertRejects } from "@std/assert";
import { bundlesIn } from "./bundle.ts";
import { writeLauncher } from "./launcher.ts";

async function stage(directory: string, text: string): Promise<ReturnType<typeof bundlesIn>> {
  const bundles = bundlesIn(await Deno.makeTempDir({ dir: directory, prefix: "lib.new." }));
  await Deno.writeTextFile(bundles.main, text);
  return bundles;
}

Deno.test("writeLauncher() leaves launcher and lib as they were when the new one does not answer", async () => {
  const directory = await Deno.makeTempDir();
  const output = `${directory}/flock`;
  try {
    await writeLauncher(await stage(directory, "old"), { output, tryOut: () => Promise.resolve() });
    const launcher = await Deno.readTextFile(output);
    const tryOut = (): Promise<void> => Promise.reject(new Error("no answer"));
    const broken = await stage(directory, "new");
    await assertRejects(() => writeLauncher(broken, { output, tryOut }), Error, "no answer");
    assertEquals(await Deno.readTextFile(bundlesIn(`${directory}/lib`).main), "old");
    assertEquals(await Deno.readTextFile(output), launcher);
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), ["flock", "lib"]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
