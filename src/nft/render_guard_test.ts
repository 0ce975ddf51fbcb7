import { assert, assertEquals, assertThrows } from "@std/assert";
import { InvalidInput } from "../fault/invalid_input.ts";
import { parseAddress, parsePrefix } from "../ip/address.ts";
import { compileGuard } from "./guard_model.ts";
import type { GuardState, SourceGrant } from "./packet_guard.ts";
import { renderChanges, renderGuard } from "./render_guard.ts";

function grants(...texts: string[]): SourceGrant[] {
  return texts.flatMap((text) => {
    const [link = "", source = ""] = text.split(" ");
    const address = parseAddress(source);
    return address ? [{ link, address }] : [];
  });
}

const FULL: GuardState = {
  grants: grants("flock00000002 203.0.113.10", "flock00000001 2001:DB8::9", "flock00000001 203.0.113.9"),
  podPrefixes: ["2001:db8::/48", "203.0.113.0/24", "203.0.113.128/25", "2001:db8::/64", "203.0.113.0/24", "10.0.0.0/8"]
    .flatMap((text) => parsePrefix(text) ?? []),
};

for (const [name, state] of Object.entries({ full: FULL, empty: { grants: [], podPrefixes: [] } })) {
  Deno.test(`renderGuard() gives the golden tables, ${name}`, async () => {
    const golden = await Deno.readTextFile(new URL(`testdata/${name}.nft`, import.meta.url));
    assertEquals(renderGuard(compileGuard(state)), golden);
  });
}

Deno.test("compileGuard() does not depend on order or duplicates", () => {
  const { grants, podPrefixes } = FULL;
  const shuffled = { grants: [...grants.toReversed(), ...grants], podPrefixes: podPrefixes.toReversed() };
  assertEquals(compileGuard(shuffled), compileGuard(FULL));
});

Deno.test("compileGuard() keeps the outer one of nested prefixes", () => {
  assertEquals(compileGuard(FULL).pods4, ["10.0.0.0/8", "203.0.113.0/24"]);
  assertEquals(compileGuard(FULL).pods6, ["2001:db8::/48"]);
});

Deno.test("compileGuard() refuses a link that is no host end of ours", () => {
  for (const link of ["eth0", "flock1", "flock0000000g", 'flock00000001" }; flush ruleset', "flock00000001\n", ""]) {
    const state = { grants: grants("x 10.0.0.1").map((grant) => ({ ...grant, link })), podPrefixes: [] };
    assertThrows(() => compileGuard(state), InvalidInput, "must be flock and 8 hex digits");
  }
});

Deno.test("the table holds no ct expression, which would turn connection tracking on", () => {
  assert(!/\bct\b/.test(renderGuard(compileGuard(FULL))));
});

Deno.test("renderChanges() is one line for both tables, adds what it deletes first, and leaves out empty sets", () => {
  const [a, b] = ['"flock00000001" . 10.0.0.1', '"flock00000001" . 2001:db8::1'] as const;
  assertEquals(
    renderChanges([{ set: "own4", element: a, present: true }, { set: "own6", element: b, present: false }]),
    [
      `add element inet flock own4 { ${a} }`,
      `add element inet flock own6 { ${b} }`,
      `add element arp flock own4 { ${a} }`,
      `delete element inet flock own6 { ${b} }`,
    ].join("; "),
  );
});
