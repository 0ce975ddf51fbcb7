import { assert, assertEquals, assertLess, assertStringIncludes, assertThrows } from "@std/assert";
import { InvalidInput } from "../fault/invalid_input.ts";
import { parsePrefix, type Prefix } from "../ip/address.ts";
import type { FamilyRequest } from "../ipam/ipam.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import { type AddressRequest, resolveAddressRequest } from "./resolve_address_request.ts";

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  assert(parsed !== undefined, text);
  return parsed;
}

const NODE: NodeConfig = {
  name: "node-a",
  uid: "n1",
  generation: 1,
  createdAt: 0,
  cidr6: [prefix("2001:db8:f001::/64"), prefix("2001:db8:f002::/64")],
  cidr4: [prefix("203.0.113.0/24"), prefix("198.51.100.0/24")],
  defaults: { ipv6: true, ipv4: true },
  portmap: false,
  logLevel: "info",
};
const POD = { namespace: "default", name: "web-0", image: "nginx:1" };

function resolve(annotations: Record<string, string>, config: Partial<NodeConfig> = {}): AddressRequest {
  return resolveAddressRequest({
    identity: POD,
    annotations: new Map(Object.entries(annotations)),
    config: { ...NODE, ...config },
  });
}

/** `range of nodeCidr` for each range of the family. */
function rangesOf(requests: readonly FamilyRequest[], family: 4 | 6): string[] | undefined {
  return requests.find((request) => request.family === family)?.ranges
    .map(({ range, nodeCidr }) => `${range.text} of ${nodeCidr.text}`);
}

function familiesOf({ requests }: AddressRequest): number[] {
  return requests.map(({ family }) => family);
}

Deno.test("a pod without annotations gets both families from all node CIDRs, IPv6 first", () => {
  const resolved = resolve({});
  assertEquals(familiesOf(resolved), [6, 4]);
  assertEquals(rangesOf(resolved.requests, 6), [
    "2001:db8:f001::/64 of 2001:db8:f001::/64",
    "2001:db8:f002::/64 of 2001:db8:f002::/64",
  ]);
  assertEquals(rangesOf(resolved.requests, 4), [
    "203.0.113.0/24 of 203.0.113.0/24",
    "198.51.100.0/24 of 198.51.100.0/24",
  ]);
  assertEquals(resolved.warnings, []);
});

Deno.test("family precedence: pod annotation, then the node's defaults", () => {
  const off4 = { defaults: { ipv6: true, ipv4: false } };
  assertEquals(familiesOf(resolve({ ipv4: "false" })), [6]);
  assertEquals(familiesOf(resolve({ ipv6: "false" })), [4]);
  assertEquals(familiesOf(resolve({}, off4)), [6]);
  assertEquals(familiesOf(resolve({ ipv4: "true" }, off4)), [6, 4]);
  assertEquals(familiesOf(resolve({ ipv6: "false", ipv4: "true" }, off4)), [4]);
});

Deno.test("ipv6 and ipv4 take true and false in any case, with spaces around", () => {
  for (const no of ["false", "False", "FALSE", " false ", "\tfalse\n"]) {
    assertEquals(familiesOf(resolve({ ipv4: no })), [6]);
  }
  for (const yes of ["true", "True", " TRUE "]) assertEquals(familiesOf(resolve({ ipv4: yes })), [6, 4]);
});

Deno.test("ipv6 and ipv4 refuse everything else, naming annotation, value and rule", () => {
  for (const value of ["yes", "1", "0", "no", "", " ", "on", "t", "true,false", "true true", "tr\u00fce"]) {
    const error = assertThrows(() => resolve({ ipv4: value }), InvalidInput, 'annotation flock.fritzlab.net/ipv4 "');
    assertStringIncludes(error.message, ": must be true or false");
    assertEquals(error.problems[0]?.value, value);
  }
});

Deno.test("log-drops takes true and false, and refuses everything else, though it asks nothing of the pool", () => {
  for (const value of ["true", " False "]) assertEquals(resolve({ "log-drops": value }).warnings, []);
  assertThrows(
    () => resolve({ "log-drops": "yes" }),
    InvalidInput,
    'annotation flock.fritzlab.net/log-drops "yes": must be true or false',
  );
});

Deno.test("no family left: the error says so, and why for each", () => {
  assertThrows(
    () => resolve({ ipv6: "false" }, { defaults: { ipv6: true, ipv4: false } }),
    InvalidInput,
    'pod "default/web-0": must have an address family, but IPv6 is off by annotation ipv6 and IPv4 by spec.defaults.ipv4',
  );
  assertThrows(
    () => resolve({ ipv6: "false" }, { cidr4: [] }),
    InvalidInput,
    "IPv4 by the node's lack of an IPv4 CIDR",
  );
});

Deno.test("a family without node CIDRs is left out, unless the pod insists", () => {
  assertEquals(familiesOf(resolve({}, { cidr4: [] })), [6]);
  assertEquals(familiesOf(resolve({}, { cidr6: [] })), [4]);
  assertThrows(
    () => resolve({ ipv4: "true" }, { cidr4: [] }),
    InvalidInput,
    'annotation flock.fritzlab.net/ipv4 "true": must not be true: node "node-a" has no IPv4 CIDR',
  );
  assertThrows(
    () => resolve({ cidr4: "203.0.113.0/24" }, { cidr4: [] }),
    InvalidInput,
    "must not be given: the node has no IPv4 CIDR",
  );
});

const MATCHES: readonly [string, string, string][] = [
  ["equal: the node's", "203.0.113.0/24", "203.0.113.0/24 of 203.0.113.0/24"],
  ["wider: the node's", "203.0.112.0/22", "203.0.113.0/24 of 203.0.113.0/24"],
  ["widest: the first of the node's", "0.0.0.0/0", "203.0.113.0/24 of 203.0.113.0/24"],
  ["inside: the annotation's", "203.0.113.64/26", "203.0.113.64/26 of 203.0.113.0/24"],
  ["inside the second: the annotation's", "198.51.100.9/32", "198.51.100.9/32 of 198.51.100.0/24"],
  ["disjoint entries are passed over", "192.0.2.0/24,198.51.100.0/25", "198.51.100.0/25 of 198.51.100.0/24"],
  ["the first match wins", "198.51.100.0/25,203.0.113.0/24", "198.51.100.0/25 of 198.51.100.0/24"],
  ["spaces around entries", " 192.0.2.0/24 ,\t203.0.113.0/25 ", "203.0.113.0/25 of 203.0.113.0/24"],
  ["duplicates", "203.0.113.0/25,203.0.113.0/25", "203.0.113.0/25 of 203.0.113.0/24"],
];

for (const [title, text, expected] of MATCHES) {
  Deno.test(`cidr4 against the node's CIDRs: ${title}`, () => {
    assertEquals(rangesOf(resolve({ cidr4: text }).requests, 4), [expected]);
  });
}

Deno.test("cidr6 restricts IPv6 alone", () => {
  const { requests } = resolve({ cidr6: "2001:DB8:F002:0::/72" });
  assertEquals(rangesOf(requests, 6), ["2001:db8:f002::/72 of 2001:db8:f002::/64"]);
  assertEquals(rangesOf(requests, 4)?.length, 2);
});

const REFUSED: readonly [string, string, string, string][] = [
  ["an empty list", "cidr4", "", "must list at least one CIDR"],
  ["blanks", "cidr4", "  ", "must list at least one CIDR"],
  ["a trailing comma", "cidr4", "203.0.113.0/24,", "must not have an empty entry"],
  ["a lone comma", "cidr4", ",", "must not have an empty entry"],
  ["host bits set", "cidr4", "203.0.113.1/24", "must have no host bits set, the last 8 bits"],
  ["host bits set in IPv6", "cidr6", "2001:db8:f001::1/64", "must have no host bits set, the last 64 bits"],
  ["IPv4 in cidr6", "cidr6", "203.0.113.0/24", "must be an IPv6 CIDR"],
  ["IPv6 in cidr4", "cidr4", "2001:db8::/64", "must be an IPv4 CIDR"],
  ["an address without a length", "cidr4", "203.0.113.0", "must be a CIDR"],
  ["a length that is too long", "cidr4", "203.0.113.0/33", "must be a CIDR"],
  ["a length with a sign or zeros", "cidr4", "203.0.113.0/+24,203.0.113.0/024", "must be a CIDR"],
  ["octal", "cidr4", "0313.0.113.0/24", "must be a CIDR"],
  ["hexadecimal", "cidr4", "0xcb.0.113.0/24", "must be a CIDR"],
  ["a short form", "cidr4", "10/8", "must be a CIDR"],
  ["a zone", "cidr6", "fe80::%eth0/64", "must be a CIDR"],
  ["spaces inside", "cidr4", "203.0.113.0 /24", "must be a CIDR"],
  ["another separator", "cidr4", "203.0.113.0/25 203.0.113.128/25", "must be a CIDR"],
  ["JSON", "cidr4", '["203.0.113.0/24"]', "must be a CIDR"],
  ["shell text", "cidr4", "$(reboot);\n#", "must be a CIDR"],
  ["one bad entry after a good one", "cidr4", "203.0.113.0/24,x", "must be a CIDR"],
  [
    "nothing of the node's",
    "cidr4",
    "192.0.2.0/24",
    "must name a part or the whole of a node CIDR (203.0.113.0/24, 198.51.100.0/24)",
  ],
  [
    "only the gateway",
    "cidr4",
    "203.0.113.1/32",
    "must have an address that is not reserved in node CIDR 203.0.113.0/24",
  ],
  ["only the all-zeros host", "cidr6", "2001:db8:f001::/128", "must have an address that is not reserved"],
  ["10 000 entries", "cidr4", "a,".repeat(10_000), "must have at most 4096 characters and 64 entries"],
  ["65 entries", "cidr4", Array(65).fill("1.0.0.0/8").join(), "must have at most 4096 characters and 64 entries"],
  ["200 KiB of text", "cidr4", "9".repeat(200 * 1024), "must have at most 4096 characters and 64 entries"],
];

for (const [title, key, text, rule] of REFUSED) {
  Deno.test(`${key} refuses ${title}, naming annotation, value and rule`, () => {
    const { message } = assertThrows(
      () => resolve({ [key]: text }),
      InvalidInput,
      `annotation flock.fritzlab.net/${key} "`,
    );
    assertStringIncludes(message, rule);
    assertLess(message.length, 300);
    assert(/^[\x20-\x7e]*$/.test(message), "printable ASCII only");
  });
}

Deno.test("64 entries are not too many", () => {
  const text = Array.from({ length: 64 }, (_, i) => `203.0.113.${i}/32`).reverse().join();
  assertEquals(rangesOf(resolve({ cidr4: text }).requests, 4), ["203.0.113.63/32 of 203.0.113.0/24"]);
});

Deno.test("a malformed restriction fails even where its family is off; one that matches nothing does not", () => {
  assertThrows(() => resolve({ ipv4: "false", cidr4: "x" }), InvalidInput, "must be a CIDR");
  assertEquals(familiesOf(resolve({ ipv4: "false", cidr4: "192.0.2.0/24" })), [6]);
});

function identityOf(annotations: Record<string, string>, ipAlgo?: string): readonly string[] | undefined {
  return resolve(annotations, ipAlgo === undefined ? {} : { ipAlgo }).requests[0]?.identity;
}

Deno.test("ip-algo: pod annotation, then NodeConfig annotation, then random", () => {
  assertEquals(identityOf({}), []);
  assertEquals(identityOf({}, "namespace,pod"), ["default", "web-0"]);
  assertEquals(identityOf({ "ip-algo": "image , pod" }, "namespace"), ["nginx:1", "web-0"]);
});

Deno.test("ip-algo: an empty or invalid value falls through to the next with a warning, never an error", () => {
  const invalid = [
    "",
    " ",
    ",",
    "pod,",
    "pod,pod",
    "Pod",
    "node",
    "__proto__",
    "constructor",
    "pod;image",
    "x,".repeat(9_000),
  ];
  for (const text of invalid) {
    const resolved = resolve({ "ip-algo": text }, { ipAlgo: "pod" });
    assertEquals(resolved.requests[0]?.identity, ["web-0"]);
    assertEquals(resolved.warnings.length, 1);
    assertStringIncludes(resolved.warnings[0] ?? "", "of the pod is ignored: it must ");
  }
  const neither = resolve({ "ip-algo": "x" }, { ipAlgo: "y" });
  assertEquals(neither.requests[0]?.identity, []);
  assertEquals(neither.warnings.map((warning) => /"(.)" of the (\w+)/.exec(warning)?.slice(1).join()), [
    "x,pod",
    "y,NodeConfig",
  ]);
});

Deno.test("ip-algo: a name that the runtime did not tell falls through with a warning", () => {
  const identity = { namespace: "", name: "" };
  const input = { identity, annotations: new Map<string, string>(), config: { ...NODE, ipAlgo: "namespace,image" } };
  const { requests, warnings } = resolveAddressRequest(input);
  assertEquals(requests[0]?.identity, []);
  assertStringIncludes(warnings[0] ?? "", "must only list what is known of the pod, not namespace, image");
});

Deno.test("ip-algo: says nothing to a pod without IPv6", () => {
  const { requests, warnings } = resolve({ ipv6: "false", "ip-algo": "x" });
  assertEquals(requests.map(({ identity }) => identity), [undefined]);
  assertEquals(warnings, []);
});

Deno.test("annotations that are not supported are named in warnings, a few of many", () => {
  assertEquals(resolve({ anycasts: "2001:db8::1", address: "x" }).warnings, [
    "annotation flock.fritzlab.net/anycasts is not supported by this version",
    "annotation flock.fritzlab.net/address is not supported by this version",
  ]);
  const many = resolve(Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`x${i}`, ""]))).warnings;
  assertEquals(many.length, 9);
  assertEquals(many[8], "2992 more annotations are not supported by this version");
});

Deno.test("a family that addresses covers asks nothing of the pool; the other one does", () => {
  const { requests, claims } = resolve({ addresses: "192.0.2.7,192.0.2.8", anycast: "2001:db8:53::1" });
  assertEquals(requests.map(({ family }) => family), [6]);
  assertEquals(claims.addresses.map(({ text }) => text), ["192.0.2.7", "192.0.2.8"]);
  assertEquals(claims.anycast.map(({ text }) => text), ["2001:db8:53::1"]);
  assertEquals(resolve({ addresses: "192.0.2.7,2001:db8:7::7" }).requests, []);
});

Deno.test("addresses gives a family on a node without a CIDR of it", () => {
  const { requests } = resolve({ addresses: "192.0.2.7" }, { cidr4: [] });
  assertEquals(requests.map(({ family }) => family), [6]);
});

Deno.test("a claim of a family that the pod does not have is refused, naming annotation, IP and family", () => {
  for (const key of ["anycast", "addresses"]) {
    const { message } = assertThrows(() => resolve({ ipv4: "false", [key]: "2001:db8:7::7,192.0.2.7" }), InvalidInput);
    const rule = "must be of a family that the pod has, but IPv4 is off by annotation ipv4";
    assertEquals(message, `annotation flock.fritzlab.net/${key} "192.0.2.7": ${rule}`);
  }
  assertThrows(() => resolve({ anycast: "192.0.2.53" }, { cidr4: [] }), InvalidInput, "IPv4 is off by the node's lack");
});
