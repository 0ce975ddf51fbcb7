import { assertEquals, assertThrows } from "@std/assert";
import { claimDirectory, isLink } from "./claim_directory.ts";

/** @param test gets a directory and the user id that it belongs to */
function withDirectory(test: (root: string, owner: number) => void): void {
  const root = Deno.makeTempDirSync();
  try {
    test(root, Deno.lstatSync(root).uid ?? 0);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

function modeOf(path: string): number {
  return (Deno.lstatSync(path).mode ?? 0) & 0o7777;
}

Deno.test("claimDirectory() makes it private, new or not, whatever the umask", () =>
  withDirectory((root, owner) => {
    const umask = Deno.umask(0);
    try {
      claimDirectory(`${root}/new/inner`, { owner });
      Deno.mkdirSync(`${root}/open`);
      Deno.chmodSync(`${root}/open`, 0o1777);
      claimDirectory(`${root}/open`, { owner });
    } finally {
      Deno.umask(umask);
    }
    assertEquals(["new", "new/inner", "open"].map((name) => modeOf(`${root}/${name}`)), [0o700, 0o700, 0o700]);
  }));

Deno.test("claimDirectory() refuses a link, a file and another user's, and changes none of them", () =>
  withDirectory((root, owner) => {
    Deno.mkdirSync(`${root}/target`);
    Deno.chmodSync(`${root}/target`, 0o755);
    Deno.symlinkSync(`${root}/target`, `${root}/link`);
    Deno.symlinkSync(`${root}/none`, `${root}/dangling`);
    Deno.writeTextFileSync(`${root}/file`, "precious");
    assertThrows(() => claimDirectory(`${root}/link`, { owner }), Error, 'link": it is a link');
    assertThrows(() => claimDirectory(`${root}/dangling`, { owner }), Error, "it is a link");
    assertThrows(() => claimDirectory(`${root}/file`, { owner }), Error, "it is none");
    assertThrows(() => claimDirectory(`${root}/target`, { owner: owner + 1 }), Error, `it belongs to user ${owner}`);
    assertEquals([modeOf(`${root}/target`), Deno.readTextFileSync(`${root}/file`)], [0o755, "precious"]);
    assertThrows(() => Deno.lstatSync(`${root}/none`), Deno.errors.NotFound);
  }));

Deno.test("isLink() is about the path itself, which may lead nowhere", () =>
  withDirectory((root) => {
    Deno.writeTextFileSync(`${root}/file`, "");
    Deno.symlinkSync(`${root}/file`, `${root}/link`);
    Deno.symlinkSync(`${root}/none`, `${root}/dangling`);
    assertEquals(["file", "none", "link", "dangling"].map((name) => isLink(`${root}/${name}`)), [
      false,
      false,
      true,
      true,
    ]);
  }));
