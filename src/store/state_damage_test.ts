import {
  assert,
  assertEquals,
  assertObjectMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  adding,
  addresses,
  allocation,
  namesIn,
  NOW,
  open,
  ownDisk,
  stillClock,
  withDirectory,
} from "./_store_fixture.ts";
import { StateDamaged } from "./state_damaged.ts";
import { parseStateDocument, renderStateDocument } from "./state_document.ts";
import type { StateFiles } from "./state_files.ts";

const GOOD = {
  version: 1,
  bootId: "boot-1",
  nodeName: "node-a",
  generation: 3,
  allocations: [allocation(1)],
  resting: [{ address: "10.0.0.77", freedAt: NOW }],
  tombstones: [{ containerId: "c9", ifname: "eth0", until: NOW }],
  cursors: { "10.0.0.0/16": "10.0.0.2" },
};

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A file with these fields and a checksum that is right, so that only the fields can be what is wrong. */
async function sealed(fields: object): Promise<Uint8Array<ArrayBuffer>> {
  const { version, ...body } = { ...GOOD, ...fields };
  const text = JSON.stringify(body).slice(1);
  return new TextEncoder().encode(`{"version":${JSON.stringify(version)},"checksum":"${await sha256(text)}",\n${text}`);
}

Deno.test("a sealed file is read", async () => {
  const { state, generation } = parseStateDocument(await sealed({}));
  assertEquals([...state.allocations.values()], [allocation(1)]);
  assertEquals(generation, 3);
});

const WRONG_FIELDS: readonly [string, object][] = [
  ["bootId is no text", { bootId: 7 }],
  ["nodeName is no text", { nodeName: "" }],
  ["generation is no whole number", { generation: -1 }],
  ["allocations is no list", { allocations: {} }],
  ["allocations[0] is no object", { allocations: [null] }],
  ["allocations[1] is no object", { allocations: [allocation(1), []] }],
  ["allocations[0].containerId is no text", { allocations: [{ ...allocation(1), containerId: undefined }] }],
  ["allocations[0].mtu is no whole number", { allocations: [{ ...allocation(1), mtu: "1500" }] }],
  ["allocations[0].state is neither pending nor committed", { allocations: [{ ...allocation(1), state: "x" }] }],
  ["allocations[0].createdAt is no time", { allocations: [{ ...allocation(1), createdAt: null }] }],
  ["allocations[0].pod.uid is no text", { allocations: [{ ...allocation(1), pod: { namespace: "a", name: "b" } }] }],
  ["allocations[0].ipv4 is no IPv4 address", { allocations: [{ ...allocation(1), ipv4: "10.0.0.300" }] }],
  ["allocations[0].ipv4 is no IPv4 address", { allocations: [{ ...allocation(1), ipv4: "2001:db8::1" }] }],
  ["allocations[0].ipv6 is no IPv6 address", { allocations: [{ ...allocation(1), ipv6: "2001:DB8::1" }] }],
  [`two allocations are of ${allocation(1).containerId}/eth0`, { allocations: [allocation(1), allocation(1)] }],
  ["two allocations hold 10.0.0.1", { allocations: [allocation(1), { ...allocation(2), ipv4: "10.0.0.1" }] }],
  ["two allocations hold 2001:db8::2", { allocations: [allocation(1), { ...allocation(2), ipv6: "2001:db8::2" }] }],
  ["resting is no list", { resting: undefined }],
  ["resting[0].address is no IP address", { resting: [{ address: "x", freedAt: 1 }] }],
  ["tombstones[0].until is no time", { tombstones: [{ containerId: "c", ifname: "e" }] }],
  ["cursors is no object", { cursors: [] }],
  ["cursors[10.0.0.0/16] is no IPv4 address", { cursors: { "10.0.0.0/16": "x" } }],
];

for (const [reason, fields] of WRONG_FIELDS) {
  Deno.test(`a state file is damaged when ${reason}: ${JSON.stringify(fields).slice(0, 30)}`, async () => {
    const { message } = await assertRejects(async () => await parseStateDocument(await sealed(fields)), StateDamaged);
    assertEquals(message, reason);
  });
}

async function goodFile(): Promise<Uint8Array<ArrayBuffer>> {
  const document = parseStateDocument(await sealed({}));
  return renderStateDocument(document);
}

const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const RUINS: readonly [string, string, () => Promise<Uint8Array<ArrayBuffer>>][] = [
  ["an empty file", "empty", () => Promise.resolve(encode(""))],
  ["NUL bytes", "NUL", () => Promise.resolve(new Uint8Array(4096))],
  ["a tail of NUL bytes", "NUL", async () => new Uint8Array([...await goodFile(), 0, 0])],
  ["null", "no object", () => Promise.resolve(encode("null"))],
  ["a list", "no object", () => Promise.resolve(encode("[]"))],
  ["no version", "version", () => Promise.resolve(encode("{}"))],
  ["a byte order mark", "not JSON", async () => new Uint8Array([0xef, 0xbb, 0xbf, ...await goodFile()])],
  ["bytes that are not UTF-8", "not UTF-8", async () => new Uint8Array([...await goodFile(), 0xff])],
  [
    "an edit by hand",
    "checksum",
    async () => encode(new TextDecoder().decode(await goodFile()).replace("10.0.0.1", "10.0.0.3")),
  ],
  [
    "a change of layout",
    "checksum",
    async () => encode(JSON.stringify(JSON.parse(new TextDecoder().decode(await goodFile())), null, 2)),
  ],
];

for (const [title, reason, ruin] of RUINS) {
  Deno.test(`${title} in place of the state is set aside, and the store starts empty (T-REL-08)`, () =>
    withDirectory(async (directory) => {
      const content = await ruin();
      await Deno.writeFile(`${directory}/state.json`, content);
      const store = await open(directory);
      assert(store.origin.found === "damaged");
      assertStringIncludes(store.origin.reason, reason);
      const asideAs = `${directory}/state.json.corrupt-${NOW}`;
      assertEquals([store.origin.asideAs, store.origin.rebuiltFrom], [asideAs, "nothing"]);
      assertEquals(await Deno.readFile(asideAs), content);
      assertEquals(store.current().allocations.size, 0);
      await store.update(adding(allocation(1)));
      assertEquals(addresses(await open(directory)), ["10.0.0.1"]);
    }));
}

Deno.test("the ten newest damaged files stay, the last one among them though the wall clock was set back", () =>
  withDirectory(async (directory) => {
    const others = ["state.json.corrupt-x", "other.json.corrupt-1"];
    for (const name of others) await Deno.writeTextFile(`${directory}/${name}`, "");
    const setAside = async (wall: number): Promise<void> => {
      await Deno.writeTextFile(`${directory}/state.json`, "damaged");
      await open(directory, { clock: { ...stillClock, wall: () => wall } });
    };
    for (let n = 1; n <= 12; n++) await setAside(NOW + n);
    await setAside(NOW - 1);
    const left = [-1, ...Array.from({ length: 9 }, (_, n) => n + 4)].map((n) => `state.json.corrupt-${NOW + n}`);
    assertEquals((await namesIn(directory)).toSorted(), [...others, ...left].toSorted());
  }));

Deno.test("a file cut anywhere is damaged, never half believed (T-REL-08)", async () => {
  const whole = await goodFile();
  // The last byte is the newline after the closing brace: without it the checksum fails.
  for (let length = 0; length < whole.length; length += length < 200 ? 1 : 17) {
    assertThrows(() => parseStateDocument(whole.slice(0, length)), StateDamaged);
  }
  assertThrows(() => parseStateDocument(whole.slice(0, -1)), StateDamaged, "checksum");
});

Deno.test("a bit flipped anywhere is noticed", async () => {
  const whole = await goodFile();
  for (let at = 0; at < whole.length; at += 7) {
    const flipped = whole.slice();
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    assertThrows(() => parseStateDocument(flipped), Error);
  }
});

Deno.test("a file of 200 MB is set aside unread (T-REL-08)", () =>
  withDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/state.json`, "");
    await Deno.truncate(`${directory}/state.json`, 200 << 20);
    const files = { ...await ownDisk(directory), read: () => Promise.reject(new Error("read")) };
    const { origin } = await open(directory, { files });
    assert(origin.found === "damaged");
    assertStringIncludes(origin.reason, "larger than");
  }));

/** Two writes, so that there is one before the last. */
async function writtenTwice(directory: string): Promise<void> {
  const store = await open(directory);
  for (const n of [1, 2]) await store.update(adding(allocation(n)));
}

Deno.test("in place of a damaged file comes the write before the last, which is damaged as rarely", () =>
  withDirectory(async (directory) => {
    await writtenTwice(directory);
    await Deno.writeTextFile(`${directory}/state.json`, "{");
    const store = await open(directory);
    assertObjectMatch(store.origin, { found: "damaged", rebuiltFrom: "previous" });
    assertEquals(addresses(store), ["10.0.0.1"]);
    await store.update(adding(allocation(3)));
    assertEquals(addresses(await open(directory)), ["10.0.0.1", "10.0.0.3"]);
  }));

Deno.test("a file that is gone is no first start while the write before the last is there", () =>
  withDirectory(async (directory) => {
    await writtenTwice(directory);
    await Deno.remove(`${directory}/state.json`);
    const store = await open(directory);
    const reason = `"${directory}/state.json" is gone`;
    assertEquals(store.origin, { found: "damaged", reason, rebuiltFrom: "previous" });
    assertEquals(addresses(store), ["10.0.0.1"]);
  }));

const WORTHLESS: readonly [string, { text?: string; now?: { bootId?: string; nodeName?: string } }][] = [
  ["is damaged too", { text: "{" }],
  ["is another node's", { now: { nodeName: "node-b" } }],
  ["is of an earlier boot", { now: { bootId: "boot-2" } }],
];
for (const [why, { text, now }] of WORTHLESS) {
  Deno.test(`no allocation comes from a write before the last that ${why}`, () =>
    withDirectory(async (directory) => {
      await writtenTwice(directory);
      await Deno.writeTextFile(`${directory}/state.json`, "{");
      if (text !== undefined) await Deno.writeTextFile(`${directory}/state.json.prev`, text);
      const store = await open(directory, now);
      assertEquals([store.origin.found, addresses(store)], ["damaged", []]);
    }));
}

/** A disk whose machine loses power at the given step: that step is done not at all, by half or wholly, and nothing after it. */
function dyingAt(files: StateFiles, death: { step: number; done: "not" | "half" | "wholly" }): StateFiles {
  let step = 0;
  const guard = async (whole: () => Promise<void>, half: () => Promise<void>): Promise<void> => {
    const now = step++;
    if (now < death.step) return await whole();
    if (now === death.step && death.done === "half") await half();
    if (now === death.step && death.done === "wholly") await whole();
    throw new Error("power lost");
  };
  const nothing = (): Promise<void> => Promise.resolve();
  return {
    ...files,
    create: (path, content) =>
      guard(() => files.create(path, content), () => files.create(path, content.slice(0, content.length / 2))),
    link: (path, second) => guard(() => files.link(path, second), () => files.remove(second)),
    rename: (from, to) => guard(() => files.rename(from, to), nothing),
    syncDirectory: (path) => guard(() => files.syncDirectory(path), nothing),
    remove: (path) => guard(() => files.remove(path), nothing),
  };
}

for (const step of [0, 1, 2, 3]) {
  for (const done of ["not", "half", "wholly"] as const) {
    Deno.test(`a crash at step ${step} of a write, ${done} done, leaves the old state or the new (T-REL-02)`, () =>
      withDirectory(async (directory) => {
        await (await open(directory)).update(adding(allocation(1)));
        const files = dyingAt(await ownDisk(directory), { step, done });
        const dying = await open(directory, { files });
        await assertRejects(() => dying.update(adding(allocation(2))), Error, "power lost");
        const store = await open(directory);
        assertEquals(store.origin, { found: "loaded" });
        const renamed = step === 3 || (step === 2 && done === "wholly");
        assertEquals(addresses(store), renamed ? ["10.0.0.1", "10.0.0.2"] : ["10.0.0.1"]);
        const names = await Array.fromAsync(Deno.readDir(directory), ({ name }) => name);
        assertEquals(names.filter((name) => name !== "state.json.prev"), ["state.json"]);
      }));
  }
}
