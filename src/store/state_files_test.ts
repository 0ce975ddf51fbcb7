/** The contract of StateFiles, held by the real disk and by the one in memory alike. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { MemoryFiles } from "./_memory_files.ts";
import { ownDisk, withDirectory } from "./_store_fixture.ts";
import { createDiskFiles } from "./disk_files.ts";
import { removeLeftovers, replaceFile } from "./replace_file.ts";
import type { StateFiles } from "./state_files.ts";

const DISKS: readonly [string, (body: (files: StateFiles, root: string) => Promise<void>) => Promise<void>][] = [
  ["the real disk", (body) => withDirectory(async (root) => await body(await ownDisk(root), root))],
  ["the disk in memory", async (body) => {
    const files = new MemoryFiles();
    await files.makeDirectory("/root");
    await body(files, "/root");
  }],
];
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const text = (content: Uint8Array): string => new TextDecoder().decode(content);

for (const [disk, run] of DISKS) {
  Deno.test(`${disk}: a created file holds its content and is listed`, () =>
    run(async (files, root) => {
      await files.create(`${root}/a`, bytes("one"));
      assertEquals(text(await files.read(`${root}/a`)), "one");
      assertEquals(await files.list(root), ["a"]);
      const facts = await files.inspect(`${root}/a`);
      assertEquals([facts?.kind, facts?.own, facts?.bytes], ["file", true, 3]);
    }));

  Deno.test(`${disk}: create refuses an existing path`, () =>
    run(async (files, root) => {
      await files.create(`${root}/a`, bytes("one"));
      await assertRejects(() => files.create(`${root}/a`, bytes("two")), Deno.errors.AlreadyExists);
      assertEquals(text(await files.read(`${root}/a`)), "one");
    }));

  Deno.test(`${disk}: rename replaces, remove forgives what is missing`, () =>
    run(async (files, root) => {
      await files.create(`${root}/a`, bytes("one"));
      await files.create(`${root}/b`, bytes("two"));
      await files.rename(`${root}/b`, `${root}/a`);
      await files.syncDirectory(root);
      assertEquals(text(await files.read(`${root}/a`)), "two");
      await files.remove(`${root}/a`);
      await files.remove(`${root}/a`);
      assertEquals(await files.inspect(`${root}/a`), undefined);
      await assertRejects(() => files.read(`${root}/a`), Deno.errors.NotFound);
    }));

  Deno.test(`${disk}: a second name keeps the content when the first gets another, and gives way to a newer one`, () =>
    run(async (files, root) => {
      await files.link(`${root}/a`, `${root}/b`);
      assertEquals(await files.list(root), []);
      for (const content of ["one", "two", "three"]) {
        await files.link(`${root}/a`, `${root}/b`);
        await files.create(`${root}/c`, bytes(content));
        await files.rename(`${root}/c`, `${root}/a`);
      }
      assertEquals([text(await files.read(`${root}/a`)), text(await files.read(`${root}/b`))], ["three", "two"]);
    }));

  Deno.test(`${disk}: makeDirectory is content with an existing one`, () =>
    run(async (files, root) => {
      await files.makeDirectory(`${root}/d`);
      await files.makeDirectory(`${root}/d`);
      assertEquals((await files.inspect(`${root}/d`))?.kind, "directory");
    }));

  Deno.test(`${disk}: replaceFile() leaves the new content and nothing beside it`, () =>
    run(async (files, root) => {
      for (const content of ["old", "new"]) await replaceFile(files, { path: `${root}/a`, content: bytes(content) });
      assertEquals(text(await files.read(`${root}/a`)), "new");
      assertEquals(await files.list(root), ["a"]);
    }));

  Deno.test(`${disk}: replaceFile() keeps the content before under its own name, where one is wanted`, () =>
    run(async (files, root) => {
      for (const content of ["one", "two", "three"]) {
        await replaceFile(files, { path: `${root}/a`, content: bytes(content), previous: `${root}/b` });
      }
      assertEquals([text(await files.read(`${root}/a`)), text(await files.read(`${root}/b`))], ["three", "two"]);
      assertEquals((await files.list(root)).toSorted(), ["a", "b"]);
    }));

  Deno.test(`${disk}: removeLeftovers() removes what crashed writes of this file left, and no more (T-REL-10)`, () =>
    run(async (files, root) => {
      for (const name of ["a", ".a.tmp-1", ".a.tmp-2", ".b.tmp-1", "a.corrupt-1"]) {
        await files.create(`${root}/${name}`, bytes(""));
      }
      assertEquals((await removeLeftovers(files, `${root}/a`)).toSorted(), [`${root}/.a.tmp-1`, `${root}/.a.tmp-2`]);
      assertEquals((await files.list(root)).toSorted(), [".b.tmp-1", "a", "a.corrupt-1"]);
    }));
}

Deno.test("the real disk: files and directories are private whatever the umask", () =>
  withDirectory(async (root) => {
    const files = await ownDisk(root);
    const umask = Deno.umask(0);
    try {
      await files.makeDirectory(`${root}/d`);
      await files.create(`${root}/d/a`, bytes("one"));
    } finally {
      Deno.umask(umask);
    }
    const modes = ["d", "d/a"].map((name) => (Deno.lstatSync(`${root}/${name}`).mode ?? 0) & 0o777);
    assertEquals(modes, [0o700, 0o600]);
  }));

Deno.test("the real disk: a link is a link, and a foreign file is foreign", () =>
  withDirectory(async (root) => {
    const files = await ownDisk(root);
    await files.create(`${root}/a`, bytes("one"));
    await Deno.symlink(`${root}/a`, `${root}/link`);
    assertEquals((await files.inspect(`${root}/link`))?.kind, "symlink");
    const strangers = createDiskFiles({ owner: 4_000_000 });
    assert((await strangers.inspect(`${root}/a`))?.own === false);
  }));
