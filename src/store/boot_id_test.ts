import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { ownDisk, withDirectory } from "./_store_fixture.ts";
import { readBootId } from "./boot_id.ts";

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;

Deno.test("readBootId() makes an ID once and then reads it", () =>
  withDirectory(async (directory) => {
    const [files, path] = [await ownDisk(directory), `${directory}/run/boot_id`];
    const first = await readBootId({ files, path });
    assertMatch(first, UUID);
    assertEquals(await readBootId({ files, path }), first);
    assertEquals((Deno.lstatSync(path).mode ?? 0) & 0o777, 0o600);
  }));

Deno.test("readBootId() gives another ID once the file is gone, as a tmpfs is after a reboot", () =>
  withDirectory(async (directory) => {
    const [files, path] = [await ownDisk(directory), `${directory}/boot_id`];
    const first = await readBootId({ files, path });
    await Deno.remove(path);
    assertNotEquals(await readBootId({ files, path }), first);
  }));

for (
  const content of [
    "",
    "\0".repeat(37),
    "not a uuid\n",
    "x".repeat(36) + "\n",
    `${crypto.randomUUID()}`,
    "9".repeat(1 << 20),
  ]
) {
  Deno.test(`readBootId() replaces malformed content: ${JSON.stringify(content.slice(0, 12))}, ${content.length} bytes`, () =>
    withDirectory(async (directory) => {
      const [files, path] = [await ownDisk(directory), `${directory}/boot_id`];
      await Deno.writeTextFile(path, content);
      const fresh = await readBootId({ files, path });
      assertMatch(fresh, UUID);
      assertEquals(await Deno.readTextFile(path), `${fresh}\n`);
    }));
}

Deno.test("readBootId() replaces a link and leaves its target alone", () =>
  withDirectory(async (directory) => {
    const [files, path] = [await ownDisk(directory), `${directory}/boot_id`];
    const line = `${crypto.randomUUID()}\n`;
    await Deno.writeTextFile(`${directory}/target`, line);
    await Deno.symlink(`${directory}/target`, path);
    assertNotEquals(`${await readBootId({ files, path })}\n`, line);
    assertEquals(await Deno.readTextFile(`${directory}/target`), line);
    assertEquals(Deno.lstatSync(path).isFile, true);
  }));
