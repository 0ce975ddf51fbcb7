import { assertEquals, assertRejects } from "@std/assert";
import { ConfigFile } from "./config_file.ts";

async function withFile(body: (file: ConfigFile, directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "flock-config-" });
  try {
    await body(new ConfigFile(`${directory}/bird.conf`), directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function namesIn(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

Deno.test("ConfigFile: a staged text lies beside the old one, for BIRD's group to read, until it takes its place", async () => {
  await withFile(async (file, directory) => {
    assertEquals(await file.read(), undefined);
    await file.stage("one\n");
    await file.commit();
    await file.stage("two\n");
    assertEquals([await file.read(), await Deno.readTextFile(file.staged)], ["one\n", "two\n"]);
    assertEquals((Deno.statSync(file.staged).mode ?? 0) & 0o777, 0o640);
    await file.commit();
    assertEquals([await file.read(), namesIn(directory)], ["two\n", ["bird.conf"]]);
  });
});

Deno.test("ConfigFile: a staged text replaces what an earlier run left staged, longer or not", async () => {
  await withFile(async (file) => {
    await Deno.writeTextFile(file.staged, "a long text that nobody put in place\n");
    await file.stage("short\n");
    await file.commit();
    assertEquals(await file.read(), "short\n");
  });
});

Deno.test("ConfigFile: discard() forgets the staged text, and may find none", async () => {
  await withFile(async (file, directory) => {
    await file.stage("one\n");
    await file.discard();
    await file.discard();
    assertEquals(namesIn(directory), []);
  });
});

Deno.test("ConfigFile: restore() brings an earlier text back, or none", async () => {
  await withFile(async (file, directory) => {
    await file.restore("earlier\n");
    assertEquals(await file.read(), "earlier\n");
    await file.restore(undefined);
    assertEquals(namesIn(directory), []);
    await file.restore(undefined);
  });
});

Deno.test("ConfigFile: read() of what is no file says so", async () => {
  await withFile(async (file) => {
    await Deno.mkdir(file.path);
    await assertRejects(() => file.read(), Deno.errors.IsADirectory);
  });
});

Deno.test("ConfigFile: links planted at its paths are replaced, never read or written through", async () => {
  await withFile(async (file, directory) => {
    await Deno.writeTextFile(`${directory}/target`, "precious");
    for (const path of [file.path, file.staged]) await Deno.symlink(`${directory}/target`, path);
    assertEquals(await file.read(), undefined);
    const umask = Deno.umask(0o077);
    try {
      await file.stage("one\n");
    } finally {
      Deno.umask(umask);
    }
    await file.commit();
    assertEquals([await file.read(), await Deno.readTextFile(`${directory}/target`)], ["one\n", "precious"]);
    assertEquals((Deno.lstatSync(file.path).mode ?? 0) & 0o777, 0o640);
  });
});
