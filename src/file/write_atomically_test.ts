import { assertEquals, assertRejects } from "@std/assert";
import { writeAtomically } from "./write_atomically.ts";

Deno.test("writeAtomically() replaces the whole file and leaves nothing beside it", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/file`;
  await writeAtomically(path, { text: "a longer first text", mode: 0o600 });
  await writeAtomically(path, { text: "second", mode: 0o600 });
  assertEquals(await Deno.readTextFile(path), "second");
  assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), ["file"]);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("writeAtomically() leaves no temporary file when the rename fails", async () => {
  const directory = await Deno.makeTempDir();
  await Deno.mkdir(`${directory}/file/inside`, { recursive: true });
  await assertRejects(() => writeAtomically(`${directory}/file`, { text: "x", mode: 0o600 }), Error);
  assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), ["file"]);
  await Deno.remove(directory, { recursive: true });
});
