import { assertEquals } from "@std/assert";
import { removeDirectory, removeFile } from "./remove_files.ts";

Deno.test("removeDirectory() removes all that is below, and links instead of what they lead to", async () => {
  const root = await Deno.makeTempDir();
  await Deno.mkdir(`${root}/gone/a/b`, { recursive: true });
  await Deno.mkdir(`${root}/stays`);
  await Deno.writeTextFile(`${root}/stays/file`, "precious");
  await Deno.writeTextFile(`${root}/gone/a/file`, "");
  await Deno.symlink(`${root}/stays`, `${root}/gone/a/b/link`);
  await Deno.symlink(`${root}/stays`, `${root}/linked`);
  assertEquals([await removeDirectory(`${root}/gone`), await removeDirectory(`${root}/linked`)], [true, true]);
  assertEquals([await removeDirectory(`${root}/gone`), await removeFile(`${root}/none`)], [false, false]);
  assertEquals([...Deno.readDirSync(root)].map(({ name }) => name), ["stays"]);
  assertEquals(await Deno.readTextFile(`${root}/stays/file`), "precious");
  await Deno.remove(root, { recursive: true });
});
