import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import {
  adding,
  addresses,
  allocation,
  keepingLogger,
  namesIn,
  NOW,
  open,
  ownDisk,
  withDirectory,
} from "./_store_fixture.ts";
import { MemoryFiles } from "./_memory_files.ts";
import { type State, StateVersionUnknown, StateWriteFailed } from "./state.ts";
import { renderStateDocument } from "./state_document.ts";
import type { StateFiles } from "./state_files.ts";

const FULL: State = {
  allocations: new Map([allocation(1), { ...allocation(2), state: "pending" as const, netns: "" }]
    .map((each) => [`${each.containerId}/eth0`, each])),
  resting: [{ address: "10.0.0.77", freedAt: NOW - 5 }, { address: "2001:db8::77", freedAt: NOW - 4.5 }],
  tombstones: [{ containerId: "c9", ifname: "eth0", until: NOW + 1 }],
  cursors: new Map([["10.0.0.0/16", "10.0.0.2"]]),
};

/** Counts the writes and lets a test hold them. */
function gated(files: StateFiles): StateFiles & { writes: number; gate: Promise<void> } {
  const gatedFiles = {
    ...files,
    writes: 0,
    gate: Promise.resolve(),
    create: async (path: string, content: Uint8Array<ArrayBuffer>) => {
      gatedFiles.writes++;
      await gatedFiles.gate;
      await files.create(path, content);
    },
  };
  return gatedFiles;
}

Deno.test("the first start finds nothing and writes nothing", () =>
  withDirectory(async (directory) => {
    const store = await open(directory);
    assertEquals(store.origin, { found: "absent" });
    assertEquals(store.current().allocations.size, 0);
    assertEquals(await namesIn(directory), []);
  }));

Deno.test("the state survives a restart, all of it (T-REL-03, I6)", () =>
  withDirectory(async (directory) => {
    await (await open(directory)).update(() => FULL);
    const store = await open(directory);
    assertEquals(store.origin, { found: "loaded" });
    assertEquals(store.current(), FULL);
    assertEquals(await namesIn(directory), ["state.json"]);
  }));

Deno.test("current() shows an update at once, before it is on disk", () =>
  withDirectory(async (directory) => {
    const store = await open(directory);
    const written = store.update(adding(allocation(1)));
    assertEquals(addresses(store), ["10.0.0.1"]);
    await written;
  }));

Deno.test("an update resolves only when a write that includes it is on disk", () =>
  withDirectory(async (directory) => {
    const store = await open(directory);
    await Promise.all(Array.from({ length: 20 }, async (_, n) => {
      await store.update(adding(allocation(n)));
      const onDisk = JSON.parse(await Deno.readTextFile(`${directory}/state.json`)).allocations;
      assert(onDisk.some(({ ipv4 }: { ipv4: string }) => ipv4 === `10.0.0.${n}`));
    }));
  }));

Deno.test("updates made during a write share the next one", () =>
  withDirectory(async (directory) => {
    const files = gated(await ownDisk(directory));
    const store = await open(directory, { files });
    const opened = Promise.withResolvers<void>();
    files.gate = opened.promise;
    const first = [0, 1, 2].map((n) => store.update(adding(allocation(n))));
    while (files.writes === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const second = Array.from({ length: 50 }, (_, n) => store.update(adding(allocation(10 + n))));
    opened.resolve();
    await Promise.all([...first, ...second]);
    assertEquals(files.writes, 2);
    assertEquals(addresses(await open(directory)).length, 53);
  }));

Deno.test("updates of the same turn share the first write", () =>
  withDirectory(async (directory) => {
    const files = gated(await ownDisk(directory));
    const store = await open(directory, { files });
    await Promise.all(Array.from({ length: 10 }, (_, n) => store.update(adding(allocation(n)))));
    assertEquals(files.writes, 1);
  }));

Deno.test("going back to the state before a failed write is written: the disk may hold the failed one", () =>
  withDirectory(async (directory) => {
    const files = { ...await ownDisk(directory) };
    const store = await open(directory, { files });
    await store.update(adding(allocation(1)));
    const [before, syncDirectory] = [store.current(), files.syncDirectory];
    files.syncDirectory = () => Promise.reject(new Error("EIO"));
    await assertRejects(() => store.update(adding(allocation(2))), StateWriteFailed, "EIO");
    files.syncDirectory = syncDirectory;
    await store.update(() => before);
    assertEquals(addresses(await open(directory)), ["10.0.0.1"]);
  }));

Deno.test("an update that changes nothing writes nothing", () =>
  withDirectory(async (directory) => {
    const files = gated(await ownDisk(directory));
    const store = await open(directory, { files });
    await store.update(adding(allocation(1)));
    await store.update((state) => state);
    assertEquals(files.writes, 1);
  }));

Deno.test("a change that throws rejects its own update and leaves the state alone", () =>
  withDirectory(async (directory) => {
    const store = await open(directory);
    await assertRejects(() =>
      store.update(() => {
        throw new RangeError("no");
      }), RangeError);
    await store.update(adding(allocation(1)));
    assertEquals(addresses(await open(directory)), ["10.0.0.1"]);
  }));

for (const refusal of ["ENOSPC", "EROFS"]) {
  Deno.test(`${refusal}: updates fail, memory keeps them, and the next write carries them (T-REL-15)`, async () => {
    const files = new MemoryFiles();
    const store = await open("/state", { files });
    await store.update(adding(allocation(1)));
    files.refusal = refusal;
    const failures = [2, 3].map((n) => assertRejects(() => store.update(adding(allocation(n))), StateWriteFailed));
    for (const { message, cause } of await Promise.all(failures)) {
      assertMatch(message, /^Cannot write state file "\/state\/state.json": E(NOSPC|ROFS)/);
      assert(cause instanceof Error);
    }
    assertEquals(addresses(store).length, 3);
    assertEquals(addresses(await open("/state", { files })), ["10.0.0.1"]);
    assertEquals((await files.list("/state")).filter((name) => name !== "state.json.prev"), ["state.json"]);
    files.refusal = undefined;
    await store.update((state) => state);
    assertEquals(addresses(await open("/state", { files })).length, 3);
  });

  Deno.test(`${refusal}: an existing state is read all the same, a damaged one too`, async () => {
    const files = new MemoryFiles();
    await (await open("/state", { files })).update(adding(allocation(1)));
    files.refusal = refusal;
    assertEquals(addresses(await open("/state", { files })), ["10.0.0.1"]);
    files.entries.set("/state/state.json", new TextEncoder().encode("{"));
    assertEquals((await open("/state", { files })).origin.found, "damaged");
  });
}

Deno.test("another boot voids allocations; their addresses rest, cursors and rests stay (T-REL-16)", () =>
  withDirectory(async (directory) => {
    await (await open(directory)).update(() => FULL);
    const store = await open(directory, { bootId: "boot-2" });
    assertEquals(store.origin, { found: "otherBoot" });
    const { allocations, resting, tombstones, cursors } = store.current();
    assertEquals([allocations.size, tombstones.length], [0, 0]);
    assertEquals(cursors, FULL.cursors);
    assertEquals(resting, [
      ...FULL.resting,
      ...["2001:db8::2", "10.0.0.1", "2001:db8::3", "10.0.0.2"].map((address) => ({ address, freedAt: NOW })),
    ]);
    assertEquals((await open(directory, { bootId: "boot-3" })).origin, { found: "otherBoot" });
    await store.update((state) => state);
    assertEquals((await open(directory, { bootId: "boot-2" })).origin, { found: "loaded" });
  }));

Deno.test("a file of another node is set aside (T-REL-11)", () =>
  withDirectory(async (directory) => {
    await (await open(directory)).update(() => FULL);
    const { origin } = await open(directory, { nodeName: "node-b", bootId: "boot-2" });
    assert(origin.found === "damaged");
    assertEquals(origin.reason, 'the file is of node "node-a", this is "node-b"');
    assertEquals(await namesIn(directory), [`state.json.corrupt-${NOW}`]);
  }));

Deno.test("fields of a newer release survive a rewrite", () =>
  withDirectory(async (directory) => {
    const path = `${directory}/state.json`;
    const newer = {
      ...allocation(1),
      pod: { namespace: "a", name: "b", uid: "c", node: "x" },
      anycast: ["2001:db8::5"],
    };
    const state: State = {
      ...FULL,
      allocations: new Map([[`${newer.containerId}/eth0`, newer]]),
      resting: FULL.resting.map((rest) => ({ ...rest, why: "x" })),
      tombstones: FULL.tombstones.map((stone) => ({ ...stone, why: "y" })),
    };
    const unknownFields = JSON.parse('{"claims":[{"ip":"2001:db8::5"}],"__proto__":{"x":1}}');
    const document = { bootId: "boot-1", nodeName: "node-a", generation: 7, state, unknownFields };
    await Deno.writeFile(path, renderStateDocument(document));
    await (await open(directory)).update(adding(allocation(2)));
    const { checksum: _, ...rewritten } = JSON.parse(await Deno.readTextFile(path));
    assertEquals(rewritten.generation, 8);
    assertEquals(rewritten.claims, unknownFields.claims);
    assertStringIncludes(await Deno.readTextFile(path), '"__proto__":{"x":1}');
    assertEquals(rewritten.allocations, JSON.parse(JSON.stringify([newer, allocation(2)])));
    assertEquals(rewritten.resting[0].why, "x");
    assertEquals(rewritten.tombstones[0].why, "y");
  }));

for (const version of ["2", '"2"', '"2.0"', '"1"', "2.1", "0", "null", '{"major":2}']) {
  Deno.test(`a file of version ${version} is refused and left alone`, () =>
    withDirectory(async (directory) => {
      const text = `{"version":${version},"anything":true}`;
      await Deno.writeTextFile(`${directory}/state.json`, text);
      const says = `it is of version ${version}, this release knows 1`;
      await assertRejects(() => open(directory), StateVersionUnknown, says);
      assertEquals(await Deno.readTextFile(`${directory}/state.json`), text);
      assertEquals(await namesIn(directory), ["state.json"]);
    }));
}

Deno.test("a link in place of the file or its directory is refused", () =>
  withDirectory(async (directory) => {
    await Deno.mkdir(`${directory}/real`);
    await Deno.writeTextFile(`${directory}/target`, "precious");
    await Deno.symlink(`${directory}/target`, `${directory}/real/state.json`);
    await assertRejects(() => open(`${directory}/real`), Error, "it is a symlink");
    await Deno.symlink(`${directory}/real`, `${directory}/link`);
    await assertRejects(() => open(`${directory}/link`), Error, "it is a symlink");
    assertEquals(await Deno.readTextFile(`${directory}/target`), "precious");
  }));

Deno.test("a file of another user is refused", () =>
  withDirectory(async (directory) => {
    const files = await ownDisk(directory);
    await (await open(directory)).update(() => FULL);
    const inspect: StateFiles["inspect"] = async (path) => {
      const facts = await files.inspect(path);
      return facts && { ...facts, own: facts.kind === "directory" };
    };
    await assertRejects(() => open(directory, { files: { ...files, inspect } }), Error, "it belongs to another user");
  }));

Deno.test("leftovers of crashed writes are removed at start and logged (T-REL-10)", () =>
  withDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/.state.json.tmp-1`, "half");
    const { logger, messages } = keepingLogger();
    await open(directory, { logger });
    assertEquals(messages, ["removed an unfinished write"]);
    assertEquals(await namesIn(directory), []);
  }));
