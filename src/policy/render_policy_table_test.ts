import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { compilePolicyTable } from "./testdata/compile_policy_table.ts";
import { parseNetworkPolicy } from "./parse_network_policy.ts";
import { parsePolicyPod } from "./parse_policy_pod.ts";
import type { PolicyTable } from "./policy_table.ts";
import { renderPolicyTable } from "./render_policy_table.ts";
import { worldOf } from "./testdata/_policy_fixture.ts";
import { GOLDEN_WORLDS } from "./testdata/worlds.ts";

const SKELETON: PolicyTable = { sets: new Map(), chains: new Map(), pods: new Map() };

for (const [name, fields] of Object.entries(GOLDEN_WORLDS)) {
  Deno.test(`renderPolicyTable() gives the golden table, ${name}`, async () => {
    const golden = await Deno.readTextFile(new URL(`testdata/${name}.nft`, import.meta.url));
    assertEquals(renderPolicyTable(compilePolicyTable(worldOf(fields))), golden);
  });
}

Deno.test("renderPolicyTable() holds no ct expression, no chain and so no hook while no pod is isolated (NP-62)", () => {
  const text = renderPolicyTable(compilePolicyTable(worldOf(GOLDEN_WORLDS["unselected"] ?? {})));
  assert(!/\bct\b/.test(text));
  assertEquals(text, renderPolicyTable(SKELETON));
  assertEquals([...text.matchAll(/chain (\w+)/g)].map(([, chain]) => chain), []);
});

Deno.test("renderPolicyTable() asks connection tracking for the state alone: it gives no flow a helper, so only ICMP errors are related", () => {
  const text = renderPolicyTable(compilePolicyTable(worldOf(GOLDEN_WORLDS["full"] ?? {})));
  const lines = text.split("\n").filter((line) => /\bct\b|helper/.test(line)).map((line) => line.trim());
  assertEquals(new Set(lines), new Set(["ct state established,related accept"]));
});

Deno.test("renderPolicyTable() refuses whatever nft could read as something else", () => {
  const address = { kind: "address", family: 4 } as const;
  const hostile = ["x }; flush ruleset", "a b", "1.2.3.4, 5.6.7.8", "1.2.3.4\n", "", '"', "#", "@x"];
  for (const odd of hostile) {
    const chain = { direction: "ingress", rules: [] } as const;
    const naming = { ...chain, rules: [{ peer: { kind: "set", family: 4, set: "peers4_00" } }] } as const;
    const five = Array.from({ length: 5 }, (_, n) => `192.0.2.${n}`);
    const sets = [
      new Map([[odd, { type: address, elements: new Set(five) }]]),
      new Map([["peers4_00", { type: address, elements: new Set([...five, odd]) }]]),
      new Map([["peers4_00", { type: address, elements: new Set([odd]) }]]),
    ];
    for (const each of sets) {
      const chains = new Map([["in_0", naming]]);
      assertThrows(() => renderPolicyTable({ ...SKELETON, sets: each, chains }), TypeError, "Cannot render");
    }
    assertThrows(() => renderPolicyTable({ ...SKELETON, chains: new Map([[odd, chain]]) }), TypeError);
    const rules = [{ peer: { kind: "set", family: 4, set: odd } }] as const;
    assertThrows(() => renderPolicyTable({ ...SKELETON, chains: new Map([["in_0", { ...chain, rules }]]) }), TypeError);
    const pod = { chains: { ingress: [] }, logDrops: false };
    assertThrows(() => renderPolicyTable({ ...SKELETON, pods: new Map([[odd, pod]]) }), TypeError);
    const asked = { chains: { ingress: [odd] }, logDrops: false };
    assertThrows(() => renderPolicyTable({ ...SKELETON, pods: new Map([["flock00000001", asked]]) }), TypeError);
  }
});

/** Any text, and such as would end a quote, a line, a list or a block of nft's. */
const hostileText = fc.oneof(
  fc.string({ minLength: 1, maxLength: 253 }),
  fc.string({ minLength: 1, maxLength: 300, unit: fc.constantFrom(..."a-.}{;\"'\n\\@$ #\u2028") }),
  fc.constantFrom("a".repeat(253), "a.b-c.".repeat(42), '"; flush ruleset; #', "__proto__", "constructor", "}"),
);

Deno.test("no text of the API reaches nft but as a hash, a number or an address, however long or hostile (NP-60, T-REL-49)", () => {
  const render = (texts: readonly string[]): string => {
    const [namespace = "", name = "", key = "", value = "", port = "", address = "", other = ""] = texts;
    const matchExpressions = [{ key: other, operator: "NotIn", values: [`${value}!`] }];
    const podSelector = { matchLabels: { [key]: value }, matchExpressions };
    const rule = (peers: string): unknown => ({ [peers]: [{ podSelector }], ports: [{ port }, { port: 80 }] });
    const spec = { podSelector: {}, ingress: [rule("from")], egress: [rule("to")] };
    const policy = parseNetworkPolicy({ metadata: { namespace, name }, spec });
    const pod = parsePolicyPod({
      metadata: { namespace, labels: { [key]: value }, annotations: { "flock.fritzlab.net/anycast": address } },
      spec: { containers: [{ ports: [{ name: port, containerPort: 8080 }] }] },
      status: { podIPs: [{ ip: "192.0.2.7" }, { ip: address }] },
    });
    assert(policy !== undefined && pod !== undefined);
    const table = compilePolicyTable({
      policies: new Map([[`${namespace}/${name}`, policy]]),
      namespaces: new Map(),
      pods: new Map([["p", pod]]),
      targets: new Map([["flock00000001", { ...pod, logDrops: true }]]),
    });
    return renderPolicyTable(table).replaceAll(/[0-9a-f]{24}/g, "HASH");
  };
  const harmless = render(["ns", "name", "key", "value", "port", "no address", "other"]);
  const texts = fc.uniqueArray(hostileText, { minLength: 7, maxLength: 7 });
  fc.assert(fc.property(texts, (each) => assertEquals(render(each), harmless)));
});
