import { assertEquals, assertRejects } from "@std/assert";
import type { Argv, CommandResult, RunOptions } from "../exec/command_runner.ts";
import { placeExecutable, type Placement } from "./place_executable.ts";

const ANSWER = '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}\n';
const WHOLE = 0o755;

interface Scene {
  readonly placement: Placement;
  /** @returns name -> mode and content of everything in the target's directory */
  seen(): Promise<Record<string, string>>;
  calls: { argv: Argv; options?: RunOptions }[];
  answer: () => Promise<CommandResult>;
}

/** A source, and a directory for its copy that holds what is given: name -> content. */
async function withScene(
  found: Readonly<Record<string, string>>,
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir();
  const bin = `${root}/bin`;
  try {
    await Deno.mkdir(bin);
    await write(`${root}/source`, "new");
    for (const [name, content] of Object.entries(found)) await write(`${bin}/${name}`, content);
    const owner = (await Deno.lstat(bin)).uid ?? 0;
    const scene: Scene = {
      placement: {
        ...{ source: `${root}/source`, target: `${bin}/flock`, temporary: `${bin}/.flock.new`, owner },
        runner: {
          run: (argv, options) => {
            scene.calls.push({ argv, ...(options === undefined ? {} : { options }) });
            return scene.answer();
          },
        },
      },
      seen: () => look(bin),
      calls: [],
      answer: () => Promise.resolve({ code: 0, stdout: ANSWER, stderr: "" }),
    };
    await test(scene);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function write(path: string, content: string): Promise<void> {
  await Deno.writeTextFile(path, content);
  await Deno.chmod(path, WHOLE);
}

async function look(directory: string): Promise<Record<string, string>> {
  const entries = await Array.fromAsync(Deno.readDir(directory));
  const shown = entries.map(async ({ name, isSymlink, isDirectory }) => {
    const path = `${directory}/${name}`;
    if (isSymlink) return [name, `-> ${await Deno.readLink(path)}`];
    if (isDirectory) return [name, "directory"];
    const mode = ((await Deno.lstat(path)).mode ?? 0) & 0o7777;
    return [name, `${mode.toString(8)} ${await Deno.readTextFile(path)}`];
  });
  return Object.fromEntries(await Promise.all(shown));
}

Deno.test("placeExecutable() places what answers VERSION, executable whatever the umask, and nothing beside it", () =>
  withScene({ bridge: "other" }, async ({ placement, seen, calls }) => {
    const umask = Deno.umask(0o077);
    try {
      assertEquals(await placeExecutable(placement), "placed");
    } finally {
      Deno.umask(umask);
    }
    assertEquals(await seen(), { flock: "755 new", bridge: "755 other" });
    assertEquals(calls.map(({ argv, options }) => [argv, options?.env]), [
      [[placement.source], { CNI_COMMAND: "VERSION", HOME: "/" }],
    ]);
  }));

Deno.test("placeExecutable() leaves alone what is the same, and replaces what only looks the same", () =>
  withScene({ flock: "new" }, async ({ placement, seen }) => {
    const before = await Deno.lstat(placement.target);
    assertEquals(await placeExecutable(placement), "unchanged");
    const { ino, mtime } = await Deno.lstat(placement.target);
    assertEquals([ino, mtime], [before.ino, before.mtime]);
    for (const [content, mode] of [["new", 0o644], ["new", 0o4755], ["newer", WHOLE], ["ne", WHOLE]] as const) {
      await Deno.writeTextFile(placement.target, content);
      await Deno.chmod(placement.target, mode);
      assertEquals(await placeExecutable(placement), "placed", `${content} ${mode}`);
      assertEquals(await seen(), { flock: "755 new" });
    }
  }));

Deno.test("placeExecutable() clears away what a killed install left, be it a link, and does not follow one that is the target", () =>
  withScene({ "precious": "mine", ".flock.new": "half" }, async ({ placement, seen }) => {
    assertEquals(await placeExecutable(placement), "placed");
    for (const path of [placement.target, placement.temporary]) {
      await Deno.remove(path).catch(() => {});
      await Deno.symlink("precious", path);
    }
    assertEquals(await placeExecutable(placement), "placed");
    assertEquals(await seen(), { flock: "755 new", precious: "755 mine" });
  }));

Deno.test("placeExecutable() changes nothing when the source does not answer VERSION", () =>
  withScene({ flock: "old" }, async (scene) => {
    const failures: [Scene["answer"], string][] = [
      [() => Promise.resolve({ code: 1, stdout: ANSWER, stderr: "segfault" }), "segfault"],
      [() => Promise.resolve({ code: 0, stdout: "", stderr: "" }), "does not answer VERSION"],
      [() => Promise.resolve({ code: 0, stdout: '{"code":4}', stderr: "" }), "does not answer VERSION"],
      [() => Promise.reject(new Error("no start", { cause: new Error("Exec format error") })), "Exec format error"],
    ];
    for (const [answer, message] of failures) {
      scene.answer = answer;
      await assertRejects(() => placeExecutable(scene.placement), Error, message);
      assertEquals(await scene.seen(), { flock: "755 old" });
    }
  }));

Deno.test("placeExecutable() names a directory that is in the way, one that is missing, and an install that does not end", () =>
  withScene({}, async ({ placement, seen }) => {
    await Deno.mkdir(placement.target);
    await assertRejects(
      () => placeExecutable(placement),
      Error,
      `Cannot install ${placement.target}: it is a directory`,
    );
    assertEquals(await seen(), { flock: "directory" });
    const nowhere = { ...placement, target: "/nonexistent/flock" };
    await assertRejects(() => placeExecutable(nowhere), Error, "Cannot install /nonexistent/flock: No such file");
    const other = await Deno.open(placement.target.replace(/\/flock$/, ""));
    await other.lock(true);
    const impatient = { ...placement, lockTimeoutMs: 50 };
    await assertRejects(() => placeExecutable(impatient), Error, "another install has been at it for 0.05 s");
    other.close();
  }));
