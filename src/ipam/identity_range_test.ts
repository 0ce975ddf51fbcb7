import { assert, assertEquals } from "@std/assert";
import { fnv1a32 } from "../hash/fnv.ts";
import { addressOf, parsePrefix, type Prefix } from "../ip/address.ts";
import { identityRange } from "./identity_range.ts";

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  assert(parsed !== undefined, text);
  return parsed;
}

function folded(text: string): number {
  const hash = fnv1a32(text);
  return ((hash >>> 16) ^ hash) & 0xffff;
}

const hex = (value: number): string => value.toString(16);

Deno.test("identityRange() puts one colon group per text at the top of the host bits", () => {
  const range = identityRange(prefix("2001:db8:f001::/64"), ["default", "web-0"]);
  assert(range !== undefined);
  assertEquals(range.length, 96);
  const text = addressOf(6, range.base | 0xffff_ffffn).text;
  assertEquals(text, `2001:db8:f001:0:${hex(folded("default"))}:${hex(folded("web-0"))}:ffff:ffff`);
});

Deno.test("identityRange() keeps whole groups down to 16 x (texts + 1) host bits", () => {
  assertEquals(identityRange(prefix("2001:db8::/80"), ["a", "b"])?.length, 112);
  assertEquals(identityRange(prefix("2001:db8::/81"), ["a", "b"])?.length, 81 + 2 * 12);
});

Deno.test("identityRange() shrinks each part to whole nibbles, the lowest of the hash", () => {
  const range = identityRange(prefix("2001:db8::/112"), ["a", "b", "c"]);
  assertEquals(range?.length, 124);
  assertEquals(
    (range?.base ?? 0n) & 0xfff0n,
    BigInt((folded("a") & 15) << 12 | (folded("b") & 15) << 8 | (folded("c") & 15) << 4),
  );
});

Deno.test("identityRange() gives up where a nibble each and one for the random part do not fit", () => {
  assertEquals(identityRange(prefix("2001:db8::/120"), ["a"])?.length, 124);
  assertEquals(identityRange(prefix("2001:db8::/121"), ["a"]), undefined);
  assertEquals(identityRange(prefix("2001:db8::/117"), ["a", "b"]), undefined);
  assertEquals(identityRange(prefix("2001:db8::/128"), ["a"]), undefined);
});

Deno.test("identityRange() stays inside its range for every length", () => {
  for (let length = 0; length <= 128; length++) {
    for (const texts of [["a"], ["a", "b"], ["a", "b", "c"]]) {
      const outer = prefix(`${length === 0 ? "::" : "8000::"}/${length}`);
      const range = identityRange(outer, texts);
      if (range === undefined) continue;
      assertEquals(range.base >> BigInt(128 - length), outer.base >> BigInt(128 - length));
      assert(range.length <= 124, `${range.text} leaves a nibble`);
    }
  }
});
