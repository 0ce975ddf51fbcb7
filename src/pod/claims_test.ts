import { assertEquals, assertThrows } from "@std/assert";
import { InvalidInput } from "../fault/invalid_input.ts";
import { parseClaims, primaryClaim } from "./claims.ts";

function claims(addresses: string, anycast = ""): { addresses: string[]; anycast: string[] } {
  const read = parseClaims(new Map([["addresses", addresses], ["anycast", anycast]]));
  return { addresses: read.addresses.map(({ text }) => text), anycast: read.anycast.map(({ text }) => text) };
}

function problemsOf(annotations: Record<string, string>): readonly { field: string; value: string; rule: string }[] {
  return assertThrows(() => parseClaims(new Map(Object.entries(annotations))), InvalidInput).problems;
}

Deno.test("parseClaims() reads lists of both families in the order written, canonical, each address once", () => {
  assertEquals(claims(" 192.0.2.7 ,2001:DB8:0::7, 192.0.2.7", "2001:db8::53,192.0.2.53"), {
    addresses: ["192.0.2.7", "2001:db8::7"],
    anycast: ["2001:db8::53", "192.0.2.53"],
  });
});

Deno.test("parseClaims() takes absent and empty annotations for no claim", () => {
  assertEquals(parseClaims(new Map()), { addresses: [], anycast: [] });
  assertEquals(claims("", " "), { addresses: [], anycast: [] });
});

Deno.test("parseClaims() refuses what can be no address of a pod, naming annotation, value and rule", () => {
  const rules: Record<string, string> = {
    "web": "must be an IP address",
    "192.0.2.256": "must be an IP address",
    "010.0.0.1": "must be an IP address",
    "2001:db8::1%eth0": "must be an IP address",
    "192.0.2.0/24": "must be an IP address without a prefix length",
    "2001:db8::1/128": "must be an IP address without a prefix length",
    "0.0.0.0": "must not be unspecified",
    "::": "must not be the unspecified address",
    "127.0.0.1": "must not be a loopback address",
    "::1": "must not be the loopback address",
    "224.0.0.5": "must not be a multicast address",
    "ff02::1": "must not be a multicast address",
    "169.254.1.1": "must not be a link-local address",
    "fe80::1": "must not be a link-local address",
    "::ffff:192.0.2.1": "must not be an IPv4-mapped address",
    "255.255.255.255": "must not be a reserved address",
  };
  for (const [value, rule] of Object.entries(rules)) {
    for (const key of ["anycast", "addresses"]) {
      assertEquals(problemsOf({ [key]: value }), [{ field: `annotation flock.fritzlab.net/${key}`, value, rule }]);
    }
  }
  assertEquals(problemsOf({ anycast: "192.0.2.1,,192.0.2.2" })[0]?.rule, "must not have an empty entry");
});

Deno.test("parseClaims() names every problem of both annotations at once", () => {
  assertEquals(problemsOf({ addresses: "x,192.0.2.1,y", anycast: "::1" }).map(({ value }) => value), ["x", "y", "::1"]);
});

Deno.test("parseClaims() refuses 10 000 entries without reading them", () => {
  const value = Array.from({ length: 10_000 }, (_, n) => `2001:db8::${n.toString(16)}`).join(",");
  assertEquals(problemsOf({ anycast: value })[0]?.rule, "must have at most 4096 characters and 64 entries");
});

Deno.test("parseClaims() refuses one address in both annotations, however written", () => {
  const [problem] = problemsOf({ addresses: "2001:db8::1", anycast: "2001:DB8:0::1" });
  assertEquals([problem?.value, problem?.rule], ["2001:db8::1", "must not be in annotation addresses as well"]);
});

Deno.test("primaryClaim() is the first of its family", () => {
  const read = parseClaims(new Map([["addresses", "192.0.2.9,192.0.2.8,2001:db8::8"], ["anycast", "192.0.2.53"]]));
  assertEquals([primaryClaim(read, 4)?.text, primaryClaim(read, 6)?.text], ["192.0.2.9", "2001:db8::8"]);
  assertEquals(primaryClaim(parseClaims(new Map([["anycast", "192.0.2.53"]])), 4), undefined);
});
