import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import {
  MAX_TOMBSTONE_BYTES,
  parseTombstone,
  renderTombstone,
  TOMBSTONE_NAME,
  tombstoneFileName,
} from "./tombstone.ts";

const TOMBSTONE = { containerId: "c1", ifname: "eth0", at: 1_700_000_000_000 };

Deno.test("a tombstone survives being written and read", () => {
  for (const tombstone of [TOMBSTONE, { ...TOMBSTONE, requestId: "0123456789ab" }]) {
    assertEquals(parseTombstone(renderTombstone(tombstone)), tombstone);
  }
});

Deno.test("parseTombstone() does without an id that is none", () => {
  assertEquals(parseTombstone(renderTombstone({ ...TOMBSTONE, requestId: "\u2028" })), TOMBSTONE);
});

Deno.test("tombstoneFileName() is safe and short whatever the container ID", () => {
  for (const id of ["c1", "..", "a/../../etc", "x".repeat(5000), "\0", "\u2028"]) {
    assertMatch(tombstoneFileName(id, "eth0"), TOMBSTONE_NAME);
  }
});

Deno.test("tombstoneFileName() differs by container and by interface, and repeats itself", () => {
  assertNotEquals(tombstoneFileName("c1", "eth0"), tombstoneFileName("c2", "eth0"));
  assertNotEquals(tombstoneFileName("c1", "eth0"), tombstoneFileName("c1", "eth1"));
  assertEquals(tombstoneFileName("c1", "eth0"), tombstoneFileName("c1", "eth0"));
});

Deno.test("parseTombstone() refuses what is none", () => {
  const hostile = [
    "",
    "\0\0\0",
    "null",
    "[]",
    "1",
    "{",
    '{"containerId":"c1"}',
    '{"containerId":"","ifname":"eth0","at":1}',
    '{"containerId":1,"ifname":"eth0","at":1}',
    '{"containerId":"c1","ifname":"eth0","at":"1"}',
    '{"containerId":"c1","ifname":"eth0","at":1e999}',
    '{"containerId":"c1","ifname":"eth0","at":1e300}',
    '{"containerId":"c1","ifname":"eth0","at":-1}',
    renderTombstone({ ...TOMBSTONE, containerId: "x".repeat(MAX_TOMBSTONE_BYTES) }),
  ];
  for (const text of hostile) assertEquals(parseTombstone(text), undefined, text.slice(0, 60));
});
