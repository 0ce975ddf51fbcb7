import { assertEquals } from "@std/assert";
import { type Address, parseAddress } from "../ip/address.ts";
import { checkClaims } from "./check_claims.ts";
import { parseClaims } from "./claims.ts";

function ip(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new TypeError(text);
  return address;
}

function rulesFor(annotations: Record<string, string>): string[] {
  const problems = checkClaims(parseClaims(new Map(Object.entries(annotations))), {
    config: { bgp: { asn: 65101, peers: [{ address: ip("2001:db8::1"), asn: 65000 }] } },
    hostAddresses: [{ address: ip("192.0.2.10"), link: "up0" }],
    otherAddresses: [{ address: ip("192.0.2.129"), what: "the address of a BGP peer of node-b" }],
    holderOf: ({ text }) => text === "203.0.113.7" ? "pod default/web-0" : undefined,
    userOf: ({ text }) => ["203.0.113.7", "192.0.2.53"].includes(text) ? "pod default/web-0" : undefined,
  });
  return problems.map(({ field, value, rule }) => `${field} ${value} ${rule}`);
}

Deno.test("checkClaims() refuses the node's own address, a peer's, another node's peer's and another pod's, in either annotation", () => {
  const rules = [
    ["192.0.2.10", "must not be the node's own address on up0"],
    ["2001:db8::1", "must not be the address of a BGP peer"],
    ["192.0.2.129", "must not be the address of a BGP peer of node-b"],
    ["203.0.113.7", "must not be an address that pod default/web-0 has"],
  ];
  for (const key of ["anycast", "addresses"]) {
    for (const [text = "", rule] of rules) {
      assertEquals(rulesFor({ [key]: `203.0.113.9,${text}` }), [
        `annotation flock.fritzlab.net/${key} ${text} ${rule}`,
      ]);
    }
  }
});

Deno.test("checkClaims() lets pods share an anycast address, but nobody have it for himself", () => {
  assertEquals(rulesFor({ anycast: "192.0.2.53" }), []);
  assertEquals(rulesFor({ addresses: "192.0.2.53" }), [
    "annotation flock.fritzlab.net/addresses 192.0.2.53 must not be an address that pod default/web-0 has",
  ]);
});
