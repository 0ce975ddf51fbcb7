import { assertEquals } from "@std/assert";
import { ANYCAST, EXPECTED, LINK } from "./_well.ts";
import { type GuardSight, judgeGuard, parseGuard } from "./guard.ts";

const TABLE = { table: { family: "inet", name: "flock", handle: 5 } };
const RULES = ["own4", "own6"].map((set, handle) => ({
  rule: { family: "inet", table: "flock", chain: "from_pod", handle, expr: [{ match: set }] },
}));

function set(family: string, name: string, elem: readonly unknown[] = []): object {
  return { set: { family, name, table: "flock", handle: 7, ...(elem.length === 0 ? {} : { elem }) } };
}

function sight(...objects: readonly object[]): GuardSight {
  return parseGuard(JSON.stringify({ nftables: [{ metainfo: {} }, ...objects] }));
}

const NAMES = [["inet", "own4"], ["inet", "own6"], ["inet", "pods4"], ["inet", "pods6"], ["arp", "own4"]] as const;
const GOLDEN = sight(TABLE, ...NAMES.map(([family, name]) => set(family, name)), ...RULES);
const FOUR = { concat: [LINK, "198.18.0.7"] };
const PODS4 = [{ prefix: { addr: "198.18.0.0", len: 22 } }, { prefix: { addr: "198.18.4.0", len: 22 } }];
const OWN4 = [FOUR, { concat: [LINK, ANYCAST[0]] }];
const SERVED4 = [ANYCAST[0], "198.18.255.3"];
const SETS = [
  set("inet", "own4", OWN4),
  set("inet", "own6", ["2001:db8:f001::7", ANYCAST[1]].map((address) => ({ concat: [LINK, address] }))),
  set("inet", "pods4", [...PODS4, ...SERVED4]),
  set("inet", "pods6", [
    ...["2001:db8:f001::", "2001:db8:f002::"].map((addr) => ({ prefix: { addr, len: 64 } })),
    ANYCAST[1],
  ]),
  set("arp", "own4", OWN4),
];

function judge(...objects: readonly object[]): string[] {
  return judgeGuard(sight(...objects), { ...EXPECTED, golden: GOLDEN, owed: [], told: true });
}

Deno.test("judgeGuard() says nothing of tables as the release has them with every grant once", () => {
  assertEquals(judge(TABLE, ...SETS, ...RULES), []);
});

Deno.test("judgeGuard() names a grant that is too much, in whichever family, or missing", () => {
  const two = [...OWN4, { concat: ["flock0badc0de", "198.18.0.9"] }];
  assertEquals(judge(TABLE, set("inet", "own4", two), ...SETS.slice(1), ...RULES), [
    "elements of nft: inet own4 flock0badc0de 198.18.0.9 is too much",
  ]);
  assertEquals(judge(TABLE, ...SETS.slice(0, 4), set("arp", "own4", two), ...RULES), [
    "elements of nft: arp own4 flock0badc0de 198.18.0.9 is too much",
  ]);
  assertEquals(judge(TABLE, ...SETS.slice(0, 4), set("arp", "own4", OWN4.slice(1)), ...RULES), [
    `elements of nft: arp own4 ${LINK} 198.18.0.7 is missing`,
  ]);
  assertEquals(
    judge(
      TABLE,
      ...SETS.slice(0, 2),
      set("inet", "pods4", [...PODS4.slice(1), ...SERVED4]),
      ...SETS.slice(3),
      ...RULES,
    ),
    [
      "elements of nft: inet pods4 198.18.0.0/22 is missing",
    ],
  );
});

Deno.test("judgeGuard() lets a grant stay while its allocation is owed", () => {
  const owed = [{ address: "198.18.0.9", link: "flock0badc0de" }];
  const two = [...OWN4, { concat: ["flock0badc0de", "198.18.0.9"] }];
  const seen = sight(TABLE, set("inet", "own4", two), ...SETS.slice(1), ...RULES);
  assertEquals(judgeGuard(seen, { ...EXPECTED, golden: GOLDEN, owed, told: true }), []);
});

Deno.test("judgeGuard() wants the anycast addresses of all nodes among pods' prefixes, unless statuses are of another time", () => {
  const former = set("inet", "pods4", [...PODS4, "198.18.255.5"]);
  const seen = sight(TABLE, ...SETS.slice(0, 2), former, ...SETS.slice(3), ...RULES);
  const expected = { ...EXPECTED, golden: GOLDEN, owed: [] };
  assertEquals(judgeGuard(seen, { ...expected, told: false }), []);
  assertEquals(judgeGuard(seen, { ...expected, told: true }), [
    ...SERVED4.map((address) => `elements of nft: inet pods4 ${address} is missing`),
    "elements of nft: inet pods4 198.18.255.5 is too much",
  ]);
});

Deno.test("judgeGuard() names a rule that is too much, missing, altered or in another place, and whole tables", () => {
  assertEquals(judge(TABLE, ...SETS, ...RULES.toReversed()).length, 4);
  assertEquals(judge(TABLE, ...SETS, ...RULES.slice(0, 1)).length, 1);
  const [first] = RULES;
  assertEquals(judge(TABLE, ...SETS, ...RULES, { rule: { ...first?.rule, expr: [{ accept: null }] } }).length, 1);
  assertEquals(judge(TABLE, { chain: { family: "inet", table: "flock", name: "x" } }, ...SETS, ...RULES).length, 1);
  assertEquals(judge().length, GOLDEN.objects.length + 13);
});

Deno.test("parseGuard() keeps others' tables apart, with their elements", () => {
  const elem = [{ concat: [LINK, "198.18.0.7"] }];
  const { objects, elements, foreign } = sight({ set: { family: "inet", name: "own4", table: "operator", elem } });
  assertEquals([objects, elements], [[], []]);
  assertEquals(foreign, [`set ${JSON.stringify({ family: "inet", name: "own4", table: "operator", elem })}`]);
});
