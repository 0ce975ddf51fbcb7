/** The state on a disk that is really full: a tmpfs of 64 KiB. Needs root. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type Argv, expectSuccess } from "../exec/command_runner.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { allocationKey } from "../ipam/allocation.ts";
import { adding, addresses, allocation, open } from "./_store_fixture.ts";
import { StateWriteFailed } from "./state.ts";

const MARK = "flock-full-";

async function run(...argv: Argv): Promise<void> {
  expectSuccess(argv, await createSystemRunner().run(argv));
}

/** Runs the body on a tmpfs of its own; those of runs that were killed are unmounted first. */
async function withTinyDisk(body: (directory: string) => Promise<void>): Promise<void> {
  for (const abandoned of mountsOfDeadRuns()) await unmount(abandoned);
  const directory = await Deno.makeTempDir({ prefix: `${MARK}${Deno.pid}-` });
  try {
    await run("/usr/bin/mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", directory);
    await body(directory);
  } finally {
    await unmount(directory);
  }
}

async function unmount(directory: string): Promise<void> {
  await run("/usr/bin/umount", directory);
  await Deno.remove(directory);
}

function mountsOfDeadRuns(): string[] {
  const points = Deno.readTextFileSync("/proc/mounts").split("\n").map((line) => line.split(" ")[1] ?? "");
  return points.filter((point) => {
    const pid = new RegExp(`/${MARK}(\\d+)-\\w+$`).exec(point)?.[1];
    return pid !== undefined && !existsSync(`/proc/${pid}`);
  });
}

function existsSync(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

Deno.test("a full disk: ADDs fail, what is on disk stays whole, and room brings everything back (T-REL-15)", () =>
  withTinyDisk(async (directory) => {
    const store = await open(directory);
    await store.update(adding(allocation(0)));
    await Deno.writeFile(`${directory}/ballast`, new Uint8Array(50 << 10));
    const failed = await assertRejects(async () => {
      for (let n = 1; n < 250; n++) await store.update(adding(allocation(n)));
    }, StateWriteFailed);
    assertMatch(failed.message, /No space left on device/);
    const inMemory = addresses(store).length;
    assert(inMemory > 1, "some fitted");
    assertEquals(addresses(await open(directory)).length, inMemory - 1);
    const names = await Array.fromAsync(Deno.readDir(directory), ({ name }) => name);
    assertEquals(names.toSorted(), ["ballast", "state.json", "state.json.prev"]);
    await Deno.remove(`${directory}/ballast`);
    await store.update((state) => state);
    assertEquals(addresses(await open(directory)).length, inMemory);
  }));

Deno.test("a full disk: forgetting what was on it works, because a write needs less room than it had", () =>
  withTinyDisk(async (directory) => {
    const store = await open(directory);
    await store.update(adding(allocation(0)));
    await assertRejects(async () => {
      for (let n = 1; n < 250; n++) await store.update(adding(allocation(n)));
    }, StateWriteFailed);
    await store.update((state) => ({ ...state, allocations: new Map() }));
    assertEquals(addresses(await open(directory)), []);
  }));

Deno.test("a disk that others have filled to the last block takes a DEL: the write before the last makes room", () =>
  withTinyDisk(async (directory) => {
    const store = await open(directory);
    for (const n of [0, 1]) await store.update(adding(allocation(n)));
    await assertRejects(() => Deno.writeFile(`${directory}/ballast`, new Uint8Array(64 << 10)), Error, "No space left");
    for (const left of [[allocation(1)], []]) {
      const allocations = new Map(left.map((each) => [allocationKey(each), each]));
      await store.update((state) => ({ ...state, allocations }));
      assertEquals(addresses(await open(directory)), left.map(({ ipv4 }) => ipv4));
    }
  }));
