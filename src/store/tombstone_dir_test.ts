import { assertEquals } from "@std/assert";
import type { Clock } from "../clock/clock.ts";
import { MAX_TOMBSTONE_BYTES, renderTombstone, tombstoneFileName } from "../rpc/tombstone.ts";
import { keepingLogger, silent, stillClock, withDirectory } from "./_store_fixture.ts";
import { openTombstoneDir } from "./tombstone_dir.ts";

const OLDER = { containerId: "c1", ifname: "eth0", at: 1_000 };
const NEWER = { containerId: "c2", ifname: "eth0", at: 2_000 };

function leave(directory: string, tombstone: typeof OLDER | typeof NEWER): void {
  const name = tombstoneFileName(tombstone.containerId, tombstone.ifname);
  Deno.writeTextFileSync(`${directory}/${name}`, renderTombstone(tombstone));
}

Deno.test("tombstones are listed, the oldest first, and removed one by one (T-REL-05)", () =>
  withDirectory((directory) => {
    const tombstones = openTombstoneDir({ directory, clock: stillClock, logger: silent });
    leave(directory, NEWER);
    leave(directory, OLDER);
    assertEquals(tombstones.list(), [OLDER, NEWER]);
    tombstones.remove(OLDER);
    tombstones.remove(OLDER);
    assertEquals(tombstones.list(), [NEWER]);
    return Promise.resolve();
  }));

Deno.test("the directory is made private when it is missing", () =>
  withDirectory((root) => {
    const directory = `${root}/run/deleted`;
    assertEquals(openTombstoneDir({ directory, clock: stillClock, logger: silent }).list(), []);
    assertEquals((Deno.lstatSync(directory).mode ?? 0) & 0o777, 0o700);
    return Promise.resolve();
  }));

Deno.test("what is no tombstone is logged and removed, the good ones are still found", () =>
  withDirectory((directory) => {
    const name = tombstoneFileName("c9", "eth0");
    const hostile: readonly [string, string][] = [
      [name, "\0\0\0"],
      [tombstoneFileName("c8", "eth0"), renderTombstone(OLDER)],
      [tombstoneFileName("c7", "eth0"), "x".repeat(MAX_TOMBSTONE_BYTES + 1)],
      ["readme.txt", "hello"],
    ];
    for (const [file, content] of hostile) Deno.writeTextFileSync(`${directory}/${file}`, content);
    leave(directory, NEWER);
    const { logger, messages } = keepingLogger();
    assertEquals(openTombstoneDir({ directory, clock: stillClock, logger }).list(), [NEWER]);
    assertEquals(messages, Array(hostile.length).fill("removed what is no tombstone"));
    assertEquals([...Deno.readDirSync(directory)].length, 1);
    return Promise.resolve();
  }));

Deno.test("a link is removed, not followed; a directory is skipped", () =>
  withDirectory((root) => {
    const directory = `${root}/deleted`;
    const tombstones = openTombstoneDir({ directory, clock: stillClock, logger: silent });
    leave(root, OLDER);
    const name = tombstoneFileName(OLDER.containerId, OLDER.ifname);
    Deno.symlinkSync(`${root}/${name}`, `${directory}/${name}`);
    Deno.mkdirSync(`${directory}/sub/sub`, { recursive: true });
    leave(directory, NEWER);
    assertEquals(tombstones.list(), [NEWER]);
    assertEquals([...Deno.readDirSync(directory)].map((entry) => entry.name).includes(name), false);
    assertEquals(Deno.lstatSync(`${root}/${name}`).isFile, true);
    return Promise.resolve();
  }));

Deno.test("a note that is still being written is left alone for a minute", () =>
  withDirectory((directory) => {
    const path = `${directory}/.half`;
    Deno.writeTextFileSync(path, "{");
    const writtenAt = Deno.lstatSync(path).mtime?.getTime() ?? 0;
    const listAt = (wall: number): boolean => {
      const clock: Clock = { ...stillClock, wall: () => wall };
      openTombstoneDir({ directory, clock, logger: silent }).list();
      return [...Deno.readDirSync(directory)].length === 1;
    };
    assertEquals(listAt(writtenAt + 59_999), true);
    assertEquals(listAt(writtenAt + 60_000), false);
    return Promise.resolve();
  }));

Deno.test("a tombstone that replaced the one which is removed stays", () =>
  withDirectory((directory) => {
    const tombstones = openTombstoneDir({ directory, clock: stillClock, logger: silent });
    const again = { ...OLDER, at: 3_000 };
    leave(directory, again);
    tombstones.remove(OLDER);
    assertEquals(tombstones.list(), [again]);
    return Promise.resolve();
  }));
