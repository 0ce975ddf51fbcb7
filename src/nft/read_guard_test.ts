import { assertEquals, assertThrows } from "@std/assert";
import { diffGuard } from "./diff_guard.ts";
import type { GuardModel, GuardSet } from "./guard_model.ts";
import { type FoundTables, parseGuard } from "./read_guard.ts";

/** What nft 1.0.6 prints for a set. */
function listedSet(name: string, elem?: readonly unknown[]): Record<string, unknown> {
  return { set: { family: "inet", name, table: "flock", type: "ipv4_addr", handle: 3, ...(elem && { elem }) } };
}

function listed(...objects: readonly Record<string, unknown>[]): string {
  return JSON.stringify({ nftables: [{ metainfo: { version: "1.0.6", json_schema_version: 1 } }, ...objects] });
}

function elementsOf(name: GuardSet, elem: readonly unknown[]): string[] {
  return [...parseGuard([listed(listedSet(name, elem))]).elements.get(`inet ${name}`) ?? []];
}

const TABLE = { table: { family: "inet", name: "flock", handle: 7 } };
const COUNTER = { counter: { family: "inet", name: "spoofed4", table: "flock", handle: 9, packets: 3, bytes: 180 } };
const RULE = { rule: { family: "inet", table: "flock", chain: "from_pod", handle: 12, expr: [{ drop: null }] } };
const NOTHING: GuardModel = { own4: [], own6: [], pods4: [], pods6: [] };

Deno.test("parseGuard() writes elements as the model does", () => {
  assertEquals(elementsOf("own4", [{ concat: ["flock0a0b0c0d", "192.0.2.7"] }]), ['"flock0a0b0c0d" . 192.0.2.7']);
  assertEquals(elementsOf("own6", [{ concat: ["flock0a0b0c0d", "2001:db8::7"] }]), ['"flock0a0b0c0d" . 2001:db8::7']);
  assertEquals(elementsOf("pods4", [{ prefix: { addr: "10.0.0.0", len: 8 } }, "192.0.2.1"]), [
    "10.0.0.0/8",
    "192.0.2.1/32",
  ]);
  assertEquals(elementsOf("pods6", [{ prefix: { addr: "::", len: 0 } }, "2001:db8::1"]), ["::/0", "2001:db8::1/128"]);
});

Deno.test("parseGuard() keeps elements that flock never writes as they are, so that they show up as foreign", () => {
  const foreign = [
    { range: ["10.0.0.1", "10.0.0.5"] },
    { elem: { val: { concat: ["flock0a0b0c0d", "192.0.2.7"] }, timeout: 60 } },
    { concat: ["a", "192.0.2.7", "b"] },
    "no address",
  ];
  assertEquals(elementsOf("own4", foreign), foreign.map((element) => JSON.stringify(element)));
});

Deno.test("parseGuard() leaves out what changes by itself: counts, and the elements of sets that packets fill", () => {
  const [before, after] = [0, 4711].map((packets) =>
    parseGuard([listed(
      TABLE,
      { counter: { ...COUNTER.counter, packets, bytes: packets * 60 } },
      listedSet("neighbor_rate", packets === 0 ? undefined : [{ elem: { val: "flock0a0b0c0d", expires: 9 } }]),
    )])
  );
  assertEquals(before, after);
});

Deno.test("parseGuard() keeps apart what has the same name in both tables", () => {
  const [inet, arp] = ["10.0.0.1", "10.0.0.2"].map((address) =>
    listed(listedSet("own4", [{ concat: ["flock00000001", address] }]))
  );
  const both = parseGuard([`${inet}`, `${arp}`.replace('"family":"inet"', '"family":"arp"')]);
  assertEquals([...both.objects.keys()], ["set inet own4", "set arp own4"]);
  const model = { ...NOTHING, own4: ['"flock00000001" . 10.0.0.1'] };
  assertEquals(diffGuard(both, { model, objects: both.objects }), [
    'set arp own4 lacks "flock00000001" . 10.0.0.1',
    'set arp own4 holds "flock00000001" . 10.0.0.2, not ours',
  ]);
});

Deno.test("parseGuard() refuses what is no list of nft's", () => {
  for (const json of ["", "[]", "null", "{}", '{"nftables":{}}']) assertThrows(() => parseGuard([json]), Error);
});

function found(objects: readonly Record<string, unknown>[]): FoundTables {
  return parseGuard([listed(...objects)]);
}

Deno.test("diffGuard() finds nothing where nothing differs, whatever the order", () => {
  const { objects } = found([TABLE, COUNTER, RULE]);
  assertEquals(diffGuard(found([RULE, COUNTER, TABLE]), { model: NOTHING, objects }), []);
});

Deno.test("diffGuard() names objects that are missing, foreign or changed", () => {
  const { objects } = found([TABLE, COUNTER, RULE]);
  const stranger = { chain: { family: "inet", table: "flock", name: "extra", handle: 40 } };
  const again = { table: { ...TABLE.table, handle: 8 } };
  assertEquals(diffGuard(found([again, COUNTER, stranger]), { model: NOTHING, objects }), [
    "rule 12 of chain inet from_pod is missing",
    "chain inet extra is not ours",
    "table inet flock was changed",
  ]);
});

Deno.test("diffGuard() names elements that are missing or foreign, set by set", () => {
  const list = [
    listedSet("own4", [{ concat: ["flock00000001", "10.0.0.1"] }]),
    listedSet("pods4", [{ prefix: { addr: "10.0.0.0", len: 8 } }]),
  ];
  const model = { ...NOTHING, own4: ['"flock00000002" . 10.0.0.2'], pods4: ["10.0.0.0/8"] };
  assertEquals(diffGuard(found(list), { model, objects: found(list).objects }), [
    'set inet own4 lacks "flock00000002" . 10.0.0.2',
    'set inet own4 holds "flock00000001" . 10.0.0.1, not ours',
  ]);
});

Deno.test("diffGuard() names a set that is gone once, not each of its elements", () => {
  const { objects } = found([TABLE, listedSet("own4")]);
  const model = { ...NOTHING, own4: ['"flock00000002" . 10.0.0.2'] };
  assertEquals(diffGuard(found([TABLE]), { model, objects }), ["set inet own4 is missing"]);
});
