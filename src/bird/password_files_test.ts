import { assertEquals, assertStringIncludes } from "@std/assert";
import { PasswordFiles, type PasswordReading } from "./password_files.ts";

async function withFiles(body: (files: PasswordFiles, directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "flock-passwords-" });
  try {
    await body(new PasswordFiles(directory), directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const problemOf = (reading: PasswordReading): string => "problem" in reading ? reading.problem : "";

Deno.test("PasswordFiles reads a file without its last line end, each time anew", async () => {
  await withFiles(async (files, directory) => {
    for (
      const [text, password] of [["one", "one"], ["tw o\\;\n", "tw o\\;"], ["a\r\n", "a"], [
        "x".repeat(80),
        "x".repeat(80),
      ]]
    ) {
      await Deno.writeTextFile(`${directory}/router-a`, text ?? "");
      assertEquals(files.read("router-a"), { password: password ?? "" });
    }
  });
});

Deno.test("PasswordFiles says why there is no password, and never what is in the file", async () => {
  await withFiles(async (files, directory) => {
    assertEquals(problemOf(files.read("none")), 'password file "none": there is no such file');
    for (const text of ["", "\n", 'a"; } protocol pipe {', "two\nlines", "caf\u00e9", "tab\t", "x".repeat(81)]) {
      await Deno.writeTextFile(`${directory}/bad`, text);
      assertStringIncludes(problemOf(files.read("bad")), "must hold 1 to 80 printable ASCII characters");
    }
    await Deno.mkdir(`${directory}/directory`);
    assertStringIncludes(problemOf(files.read("directory")), 'password file "directory": ');
  });
});

Deno.test("PasswordFiles keeps a password whose file goes, or becomes none", async () => {
  await withFiles(async (files, directory) => {
    await Deno.writeTextFile(`${directory}/router-a`, "one");
    files.read("router-a");
    await Deno.writeTextFile(`${directory}/router-a`, "");
    assertEquals(files.read("router-a"), { password: "one" });
    await Deno.remove(`${directory}/router-a`);
    assertEquals(files.read("router-a"), { password: "one" });
  });
});
