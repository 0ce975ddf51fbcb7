import { assertEquals } from "@std/assert";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { addressOf, parseAddress, parseInterfaceAddress, parsePrefix } from "./address.ts";
import { ODD_ADDRESSES, ODD_LENGTHS, SPECIAL_ADDRESSES } from "./testdata/odd_forms.ts";

Deno.test("parseAddress() and parsePrefix() take no form that others read otherwise", () => {
  for (const text of ODD_ADDRESSES) {
    assertEquals([parseAddress(text), parsePrefix(`${text}/32`)], [undefined, undefined], text.slice(0, 40));
  }
  for (const length of ODD_LENGTHS) {
    for (const address of ["10.0.0.0", "2001:db8::"]) {
      assertEquals(parseInterfaceAddress(address + length), undefined, length);
    }
  }
  assertEquals(parseInterfaceAddress("10.0.0.0/33"), undefined);
});

Deno.test("parseAddress() gives one text for every spelling of an address", () => {
  const spellings: Record<string, string[]> = {
    "2001:db8::a:1": ["2001:DB8::A:1", "2001:0db8:0:0:0:0:a:1", "2001:db8:0::000A:0001"],
    "64:ff9b::102:304": ["64:ff9b::1.2.3.4"],
    "::ffff:a00:1": ["::ffff:10.0.0.1", "::FFFF:a00:1"],
  };
  for (const [text, others] of Object.entries(spellings)) {
    for (const other of [text, ...others]) assertEquals(parseAddress(other)?.text, text);
  }
  for (const text of SPECIAL_ADDRESSES) assertEquals(parseAddress(text)?.family, text.includes(":") ? 6 : 4);
});

Deno.test("addressOf() writes IPv6 addresses as RFC 5952 says, wherever their zeros are", () => {
  const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const value = groups.reduce((all, each) => all << 16n | BigInt(each), 0n);
      assertEquals(addressOf(6, value).text, new ipaddr.IPv6(groups).toRFC5952String());
    }),
    { numRuns: 2_000 },
  );
});
