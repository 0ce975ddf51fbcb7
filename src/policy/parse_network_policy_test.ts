import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { DIRECTIONS, type NetworkPolicy } from "./network_policy.ts";
import { parseNetworkPolicy } from "./parse_network_policy.ts";
import { rawPolicy } from "./testdata/_policy_fixture.ts";

function parse(spec: unknown): NetworkPolicy {
  const policy = parseNetworkPolicy(rawPolicy("default/tested", spec));
  assert(policy !== undefined);
  return policy;
}

const directions = (spec: unknown): string => Object.keys(parse(spec).rules).join();
const peersOf = (peer: unknown): unknown =>
  parse({ podSelector: {}, ingress: [{ from: [peer] }] }).rules.ingress?.[0]?.peers;

Deno.test("parseNetworkPolicy() takes null for absent, and an empty selector for one that selects all (NP-06)", () => {
  const [own, everywhere] = [{ kind: "pods", pods: [] }, { kind: "pods", namespaces: [], pods: [] }];
  assertEquals(peersOf({ podSelector: {} }), [own]);
  assertEquals(peersOf({ podSelector: {}, namespaceSelector: null, ipBlock: null }), [own]);
  assertEquals(peersOf({ namespaceSelector: {} }), [everywhere]);
  assertEquals(peersOf({ namespaceSelector: {}, podSelector: null }), [everywhere]);
  assertEquals(peersOf({ namespaceSelector: {}, podSelector: {} }), [everywhere]);
  for (const podSelector of [{}, null, undefined]) assertEquals(parse({ podSelector }).podSelector, []);
  for (const spec of [undefined, null, {}]) {
    assertEquals([directions(spec), parse(spec).rules.ingress], ["ingress", []]);
  }
  for (const empty of [null, []]) {
    assertEquals(parse({ ingress: [{ from: empty, ports: empty }], egress: empty, policyTypes: empty }).rules, {
      ingress: [{}],
    });
  }
});

Deno.test("parseNetworkPolicy() infers ingress always, and egress when there are rules for it (NP-10)", () => {
  for (const policyTypes of [undefined, null, []]) {
    assertEquals(directions({ policyTypes }), "ingress");
    assertEquals(directions({ policyTypes, egress: [] }), "ingress");
    assertEquals(directions({ policyTypes, egress: [{}] }), "ingress,egress");
  }
  assertEquals(directions({ policyTypes: ["Egress"] }), "egress");
  assertEquals(directions({ policyTypes: ["Egress", "Ingress", "Egress"] }), "ingress,egress");
});

Deno.test("parseNetworkPolicy() reads ports of every kind (NP-17, NP-18, NP-19)", () => {
  const ports = [{}, { port: 80 }, { protocol: "SCTP", port: 1, endPort: 65535 }, { protocol: "UDP", port: "dns" }, {
    protocol: "UDP",
  }];
  const range = (first: number, last = first): { first: number; last: number } => ({ first, last });
  assertEquals(parse({ ingress: [{ ports }] }).rules.ingress?.[0]?.ports, [
    { kind: "range", protocol: "tcp", range: range(0, 65535) },
    { kind: "range", protocol: "tcp", range: range(80) },
    { kind: "range", protocol: "sctp", range: range(1, 65535) },
    { kind: "named", protocol: "udp", name: "dns" },
    { kind: "range", protocol: "udp", range: range(0, 65535) },
  ]);
});

Deno.test("parseNetworkPolicy() names what it cannot read, isolates where the policy may mean to, and allows nothing (NP-61)", () => {
  const rule = (part: unknown): unknown => ({ podSelector: {}, ingress: [{}, part] });
  const from = (peer: unknown): unknown => rule({ from: [peer] });
  const ports = (port: unknown): unknown => rule({ ports: [port] });
  const block = (cidr: unknown, except?: unknown): unknown => from({ ipBlock: { cidr, except } });
  const cases: [unknown, string, string][] = [
    [block("10.0.0.0/33"), "ingress", "spec.ingress[1].from[0].ipBlock.cidr"],
    [block("10.0.0.0"), "ingress", "cidr"],
    [block("010.0.0.0/8"), "ingress", "cidr"],
    [block("::ffff:10.0.0.0/104"), "ingress", "mapped"],
    [block(7), "ingress", "cidr"],
    [block("10.0.0.0/8", ["11.0.0.0/16"]), "ingress", "must be inside 10.0.0.0/8"],
    [block("10.0.0.0/8", ["::/0"]), "ingress", "except[0]"],
    [block("10.0.0.0/8", "10.1.0.0/16"), "ingress", "must be a list"],
    [from({}), "ingress", "either selectors or an ipBlock"],
    [from(null), "ingress", "must be an object"],
    [from({ podSelector: {}, ipBlock: { cidr: "10.0.0.0/8" } }), "ingress", "either selectors or an ipBlock"],
    [from({ podSelector: { matchExpressions: [{ key: "a", operator: "Gt", values: ["1"] }] } }), "ingress", "operator"],
    [from({ podSelector: {}, serviceAccounts: [] }), "ingress", "does not know"],
    [ports({ port: 0 }), "ingress", "port"],
    [ports({ port: 65536 }), "ingress", "port"],
    [ports({ port: 1.5 }), "ingress", "port"],
    [ports({ port: "" }), "ingress", "port"],
    [ports({ port: 90, endPort: 80 }), "ingress", "endPort"],
    [ports({ port: "http", endPort: 80 }), "ingress", "endPort"],
    [ports({ endPort: 80 }), "ingress", "endPort"],
    [ports({ protocol: "ICMP" }), "ingress", "protocol"],
    [ports({ protocol: "tcp" }), "ingress", "protocol"],
    [rule({ to: [{ podSelector: {} }] }), "ingress", "does not know"],
    [rule(null), "ingress", "must be an object"],
    [{ ingress: {} }, "ingress", "must be a list"],
    [{ egress: 7 }, "ingress,egress", "spec.egress"],
    [{ policyTypes: ["Egress"], egress: [{ ports: [{ port: -1 }] }] }, "egress", "spec.egress[0].ports[0]"],
    [{ policyTypes: ["Ingress", "Sideways"] }, "ingress,egress", "policyTypes[1]"],
    [{ policyTypes: "Ingress" }, "ingress,egress", "policyTypes"],
    [{ podSelector: { matchLabels: { app: 7 } }, policyTypes: ["Ingress"] }, "ingress", "spec.podSelector"],
    [{ policyTypes: ["Ingress"], ingress: [{}], serviceAccountSelector: {} }, "ingress,egress", "does not know"],
    ["all", "ingress,egress", "spec"],
    [[], "ingress,egress", "spec"],
  ];
  for (const [spec, about, complaint] of cases) {
    const { rules, defect, podSelector } = parse(spec);
    assertStringIncludes(defect ?? "no defect", complaint);
    assertEquals([Object.keys(rules).join(), Object.values(rules).flat()], [about, []], JSON.stringify(spec));
    assertEquals(podSelector, [], "selects the whole namespace");
  }
});

Deno.test("parseNetworkPolicy() of a policy with a defect keeps a selector that it can read (NP-61)", () => {
  const { podSelector, defect } = parse({
    podSelector: { matchLabels: { app: "x" } },
    ingress: [{ ports: [{ port: 0 }] }],
  });
  assertEquals(podSelector, [{ key: "app", operator: "In", values: ["x"] }]);
  assert(defect !== undefined);
});

Deno.test("parseNetworkPolicy() never throws, and gives nothing for what has no namespace or name", () => {
  const odd = fc.oneof(fc.anything(), fc.jsonValue());
  const spec = fc.record({
    podSelector: odd,
    policyTypes: fc.oneof(odd, fc.constant(["Ingress", "Egress"])),
    ingress: fc.oneof(odd, fc.array(fc.oneof(odd, fc.record({ from: fc.array(odd), ports: fc.array(odd) })))),
    egress: odd,
  }, { requiredKeys: [] });
  fc.assert(fc.property(spec, (body) => {
    const { rules, defect } = parse(body);
    assert(DIRECTIONS.some((direction) => rules[direction] !== undefined));
    if (defect !== undefined) assertEquals(Object.values(rules).flat(), []);
  }));
  for (
    const metadata of [undefined, null, {}, { namespace: "a" }, { name: "b" }, { namespace: "", name: "b" }, {
      namespace: 1,
      name: 2,
    }]
  ) {
    assertEquals(parseNetworkPolicy({ metadata }), undefined);
  }
  for (const raw of [undefined, null, 7, [], "x"]) assertEquals(parseNetworkPolicy(raw), undefined);
});
