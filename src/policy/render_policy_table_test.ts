import { assert, assertEquals, assertThrows } from "@std/assert";
import { compilePolicyTable } from "./compile_policy_table.ts";
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

Deno.test("renderPolicyTable() holds no ct expression and no chain but the base chains while no pod is isolated (NP-62)", () => {
  const text = renderPolicyTable(compilePolicyTable(worldOf(GOLDEN_WORLDS["unselected"] ?? {})));
  assert(!/\bct\b/.test(text));
  assertEquals(text, renderPolicyTable(SKELETON));
  assertEquals([...text.matchAll(/chain (\w+)/g)].map(([, chain]) => chain), ["egress", "ingress"]);
});

Deno.test("renderPolicyTable() refuses whatever nft could read as something else", () => {
  const address = { kind: "address", family: 4 } as const;
  const hostile = ["x }; flush ruleset", "a b", "1.2.3.4, 5.6.7.8", "1.2.3.4\n", "", '"', "#", "@x"];
  for (const odd of hostile) {
    const sets = [
      new Map([[odd, { type: address, elements: new Set<string>() }]]),
      new Map([["peers4_00", { type: address, elements: new Set([odd]) }]]),
    ];
    for (const each of sets) {
      assertThrows(() => renderPolicyTable({ ...SKELETON, sets: each }), TypeError, "Cannot render");
    }
    const chain = { direction: "ingress", rules: [] } as const;
    assertThrows(() => renderPolicyTable({ ...SKELETON, chains: new Map([[odd, chain]]) }), TypeError);
    const rules = [{ peer: { kind: "set", family: 4, set: odd } }] as const;
    assertThrows(() => renderPolicyTable({ ...SKELETON, chains: new Map([["in_0", { ...chain, rules }]]) }), TypeError);
    const pod = { chains: { ingress: [] }, logDrops: false };
    assertThrows(() => renderPolicyTable({ ...SKELETON, pods: new Map([[odd, pod]]) }), TypeError);
    const asked = { chains: { ingress: [odd] }, logDrops: false };
    assertThrows(() => renderPolicyTable({ ...SKELETON, pods: new Map([["flock00000001", asked]]) }), TypeError);
  }
});
