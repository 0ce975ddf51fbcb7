import { assert, assertEquals } from "@std/assert";
import { compilePolicyTable } from "./testdata/compile_policy_table.ts";
import { chainName } from "./names.ts";
import type { PolicyTable } from "./policy_table.ts";
import { type WorldFields, worldOf } from "./testdata/_policy_fixture.ts";
import { type Question, whatIsAllowed } from "./testdata/_what_is_allowed.ts";

const WORLD: WorldFields = {
  namespaces: { default: { team: "a" }, far: { team: "b" }, bare: {} },
  pods: {
    web: { labels: { app: "web" }, ips: ["192.0.2.1"], ports: { http: 8080, "http/UDP": 53 }, link: "flock00000001" },
    api: { labels: { app: "api" }, ips: ["192.0.2.2"], ports: { http: 9090 }, link: "flock00000002" },
    plain: { ips: ["192.0.2.3"], link: "flock00000003" },
    farWeb: { namespace: "far", labels: { app: "web" }, ips: ["192.0.2.11"], ports: { http: 80, sql: 5432 } },
    farApi: { namespace: "far", labels: { app: "api" }, ips: ["192.0.2.12"], ports: { http: 81 } },
    bare: { namespace: "bare", labels: { app: "web" }, ips: ["192.0.2.21"] },
  },
};
const HTTP = { ports: [{ port: 80 }] };

const allowed = (spec: unknown, rest: Partial<Question> = {}): string[] | undefined =>
  whatIsAllowed({ world: WORLD, ...rest, spec: { podSelector: {}, ...Object(spec) } });
const fromPeers = (...from: unknown[]): string[] | undefined => allowed({ ingress: [{ from }] });
const toPeers = (rule: unknown): string[] | undefined =>
  allowed({ policyTypes: ["Egress"], egress: [rule] }, { direction: "egress" });

function isolatedLinks(policies: WorldFields["policies"], direction: "ingress" | "egress"): string[] {
  const { pods } = compilePolicyTable(worldOf({ ...WORLD, policies: policies ?? {} }));
  return [...pods].flatMap(([link, { chains }]) => (chains[direction] === undefined ? [] : [link.slice(-1)])).sort();
}

Deno.test("an empty podSelector selects every pod of the policy's namespace, those without labels too, and of no other (NP-01)", () => {
  assertEquals(isolatedLinks({ p: { podSelector: {} } }, "ingress"), ["1", "2", "3"]);
  assertEquals(isolatedLinks({ "far/p": { podSelector: {} } }, "ingress"), []);
  assertEquals(isolatedLinks({ p: { podSelector: { matchLabels: { app: "web" } } } }, "ingress"), ["1"]);
});

Deno.test("an empty podSelector as a peer is the policy's own namespace (NP-02)", () => {
  assertEquals(fromPeers({ podSelector: {} }), ["192.0.2.1 192.0.2.2 192.0.2.3 | -"]);
});

Deno.test("an empty namespaceSelector as a peer is every pod, and no address outside (NP-03)", () => {
  assertEquals(fromPeers({ namespaceSelector: {} }), [
    "192.0.2.1 192.0.2.11 192.0.2.12 192.0.2.2 192.0.2.21 192.0.2.3 | -",
  ]);
});

Deno.test("both selectors in one peer must hold, of two peers one (NP-04, NP-05)", () => {
  const [namespaceSelector, podSelector] = [{ matchLabels: { team: "b" } }, { matchLabels: { app: "web" } }];
  assertEquals(fromPeers({ namespaceSelector, podSelector }), ["192.0.2.11 | -"]);
  assertEquals(fromPeers({ namespaceSelector }, { podSelector }), ["192.0.2.1 | -", "192.0.2.11 192.0.2.12 | -"]);
});

Deno.test("no peers, none at all or an empty list, are everybody (NP-07)", () => {
  for (const rule of [{}, { from: [] }, { from: null }]) assertEquals(allowed({ ingress: [rule] }), ["- | -"]);
});

Deno.test("no rules are nobody, one empty rule is everybody on every port (NP-08, NP-09, NP-16)", () => {
  for (const none of [{}, { ingress: [] }, { ingress: null }]) {
    assertEquals(allowed({ policyTypes: ["Ingress"], ...none }), []);
  }
  assertEquals(allowed({ ingress: [{}] }), ["- | -"]);
  assertEquals(allowed({ ingress: [{ ports: [] }] }), ["- | -"]);
});

Deno.test("policyTypes Egress alone leaves ingress as it is, whatever stands under ingress (NP-11)", () => {
  const spec = { podSelector: {}, policyTypes: ["Egress"], ingress: [{}] };
  assertEquals(isolatedLinks({ p: spec }, "ingress"), []);
  assertEquals(isolatedLinks({ p: spec }, "egress"), ["1", "2", "3"]);
});

Deno.test("except takes from its own block only, in whatever order another block, rule or policy allows it (NP-12)", () => {
  const [block, hole] = [{ ipBlock: { cidr: "10.0.0.0/24", except: ["10.0.0.64/26"] } }, {
    ipBlock: { cidr: "10.0.0.64/32" },
  }];
  const both = ["10.0.0.0-10.0.0.64 10.0.0.128-10.0.0.255 | -"];
  assertEquals(fromPeers(block, hole), both);
  assertEquals(fromPeers(hole, block), both);
  assertEquals(fromPeers(block), ["10.0.0.0-10.0.0.63 10.0.0.128-10.0.0.255 | -"]);
  const rules = allowed({ ingress: [{ from: [block] }, { from: [hole] }] });
  assertEquals(rules, ["10.0.0.0-10.0.0.63 10.0.0.128-10.0.0.255 | -", "10.0.0.64-10.0.0.64 | -"]);
});

Deno.test("host bits of a CIDR are masked, what overlaps or touches is one range, what is all excepted is none (NP-13)", () => {
  const blocks = ["10.0.0.77/25", "10.0.0.128/25", "10.0.0.0/24", "10.0.0.9/32"].map((cidr) => ({ ipBlock: { cidr } }));
  assertEquals(fromPeers(...blocks), ["10.0.0.0-10.0.0.255 | -"]);
  assertEquals(fromPeers({ ipBlock: { cidr: "10.0.0.1/24", except: ["10.0.0.0/25", "10.0.0.128/25"] } }), []);
});

Deno.test("a block of IPv4 says nothing of IPv6 (NP-14)", () => {
  assertEquals(fromPeers({ ipBlock: { cidr: "0.0.0.0/0" } }), ["0.0.0.0-255.255.255.255 | -"]);
  assertEquals(fromPeers({ ipBlock: { cidr: "::/0" } }), ["::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff | -"]);
});

Deno.test("a block matches addresses, whether pods have them or not (NP-15)", () => {
  assertEquals(fromPeers({ ipBlock: { cidr: "192.0.2.11/32" } }), ["192.0.2.11-192.0.2.11 | -"]);
});

Deno.test("a protocol without port is all of it, a port without protocol is TCP (NP-17, NP-18)", () => {
  assertEquals(allowed({ ingress: [{ ports: [{ protocol: "UDP" }] }] }), ["- | udp 0-65535"]);
  assertEquals(allowed({ ingress: [HTTP] }), ["- | tcp 80"]);
  assertEquals(allowed({ ingress: [{ ports: [{}] }] }), ["- | tcp 0-65535"]);
});

Deno.test("endPort is inclusive, and joins no other protocol's ports (NP-19)", () => {
  const ports = [{ port: 80, endPort: 90 }, { port: 91 }, { port: 65535, endPort: 65535 }, {
    port: 92,
    protocol: "UDP",
  }];
  assertEquals(allowed({ ingress: [{ ports }] }), ["- | tcp 80-91 65535", "- | udp 92"]);
});

Deno.test("a named port of ingress is each pod's own number, by its link, and of its own protocol (NP-20)", () => {
  const [tcp, udp] = ["TCP", "UDP"].map((protocol) => allowed({ ingress: [{ ports: [{ port: "http", protocol }] }] }));
  assertEquals(tcp, ['- | tcp "flock00000001" . 8080 "flock00000002" . 9090']);
  assertEquals(udp, ['- | udp "flock00000001" . 53']);
  const from = [{ ipBlock: { cidr: "10.0.0.0/8" } }];
  assertEquals(allowed({ ingress: [{ from, ports: [{ port: "http" }] }] }), [
    '10.0.0.0-10.255.255.255 | tcp "flock00000001" . 8080 "flock00000002" . 9090',
  ]);
});

Deno.test("a named port of egress is each destination's own number, and that of no block (NP-21)", () => {
  const ports = [{ port: "http" }];
  const to = [{ namespaceSelector: { matchLabels: { team: "b" } } }];
  assertEquals(toPeers({ to, ports }), ["- | tcp 192.0.2.11 . 80 192.0.2.12 . 81"]);
  assertEquals(toPeers({ to: [{ ipBlock: { cidr: "192.0.2.0/24" } }], ports }), []);
  assertEquals(toPeers({ to: [...to, { ipBlock: { cidr: "192.0.2.0/24" } }], ports }), [
    "- | tcp 192.0.2.11 . 80 192.0.2.12 . 81",
  ]);
  assertEquals(toPeers({ ports }), ["- | tcp 192.0.2.1 . 8080 192.0.2.11 . 80 192.0.2.12 . 81 192.0.2.2 . 9090"]);
});

Deno.test("a named port that nobody has is no port, and a rule's other ports stay (NP-22)", () => {
  const ports = [{ port: "nobodys" }];
  assertEquals(allowed({ ingress: [{ ports }] }), []);
  assertEquals(toPeers({ ports, to: [{ podSelector: {} }] }), []);
  assertEquals(allowed({ ingress: [{ ports: [...ports, ...HTTP.ports] }] }), ["- | tcp 80"]);
});

Deno.test("a name that two containers give to two numbers is both (NP-23)", () => {
  const world = worldOf({
    ...WORLD,
    policies: { tested: { podSelector: {}, ingress: [{ ports: [{ port: "http" }] }] } },
  });
  const ports = [80, 81].map((port) => ({ name: "http", protocol: "tcp", port }) as const);
  const target = { namespace: "default", labels: new Map(), ports, logDrops: false };
  const { sets } = compilePolicyTable({ ...world, targets: new Map([["flock00000009", target]]) });
  assertEquals([...sets.values()].map(({ elements }) => [...elements]), [[
    '"flock00000009" . 80',
    '"flock00000009" . 81',
  ]]);
});

Deno.test("a policy about SCTP isolates from everything else (NP-25)", () => {
  assertEquals(allowed({ ingress: [{ ports: [{ port: 7, protocol: "SCTP" }] }] }), ["- | sctp 7"]);
  assertEquals(
    isolatedLinks({ p: { podSelector: {}, ingress: [{ ports: [{ port: 7, protocol: "SCTP" }] }] } }, "ingress").length,
    3,
  );
});

Deno.test("each family's addresses are in a set of its own, and only there (NP-53)", () => {
  const pods = { dual: { ips: ["192.0.2.7", "2001:db8::7"], link: "flock00000007" }, six: { ips: ["2001:db8::8"] } };
  const spec = { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] };
  assertEquals(whatIsAllowed({ spec, world: { pods } }), ["192.0.2.7 | -", "2001:db8::7 2001:db8::8 | -"]);
});

Deno.test("a pod is guarded by its link, so at every address; as a peer it has those that it claims too (NP-54, NP-55)", () => {
  const annotations = {
    "flock.fritzlab.net/anycast": "198.51.100.53",
    "flock.fritzlab.net/addresses": "bad, 198.51.100.9",
  };
  const pods = { dns: { labels: { app: "dns" }, ips: ["192.0.2.7"], annotations, link: "flock00000007" } };
  const spec = { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { app: "dns" } } }] }] };
  assertEquals(whatIsAllowed({ spec, world: { pods } }), ["192.0.2.7 198.51.100.53 198.51.100.9 | -"]);
  const table = compilePolicyTable(worldOf({ pods, policies: { tested: spec } }));
  assertEquals([...table.pods.keys()], ["flock00000007"]);
});

Deno.test("a policy that cannot be compiled closes the pods that it selects, and no others lose what they are allowed (NP-61)", () => {
  const bad = {
    podSelector: { matchLabels: { app: "web" } },
    ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/99" } }] }],
  };
  const table = compilePolicyTable(worldOf({ ...WORLD, policies: { bad, good: { podSelector: {}, ingress: [{}] } } }));
  assertEquals(table.chains.get(chainName("default/bad", "ingress"))?.rules, []);
  assertEquals(table.chains.get(chainName("default/good", "ingress"))?.rules, [{}]);
  const asked = (link: string): number | undefined => table.pods.get(link)?.chains.ingress?.length;
  assertEquals([asked("flock00000001"), asked("flock00000002")], [2, 1]);
});

Deno.test("a policy in quarantine isolates and allows nothing (NP-61)", () => {
  const world = worldOf({ ...WORLD, policies: { p: { podSelector: {}, ingress: [{}] } } });
  const table = compilePolicyTable(world, { quarantined: new Set(["default/p"]) });
  assertEquals([...table.chains.values()].map(({ rules }) => rules), [[]]);
  assertEquals(table.pods.size, 3);
});

Deno.test("a pod whose labels nobody knows is closed in each direction that a policy of its namespace is about, and in no other", () => {
  const policies = { p: { podSelector: { matchLabels: { app: "nobody" } }, ingress: [{}] } };
  const closed = (namespace: string): PolicyTable["pods"] => {
    const targets = new Map([["flock00000009", { namespace, ports: [], logDrops: false }]]);
    return compilePolicyTable({ ...worldOf({ policies }), targets }).pods;
  };
  assertEquals([...closed("default").values()], [{ chains: { ingress: [] }, logDrops: false }]);
  assertEquals(closed("far").size, 0);
});

Deno.test("policies that select no pod of this node, and sets that nobody asks, are not in the table (NP-62)", () => {
  const elsewhere = { podSelector: { matchLabels: { app: "nobody" } }, ingress: [{ from: [{ podSelector: {} }] }] };
  const table = compilePolicyTable(worldOf({ ...WORLD, policies: { elsewhere, "far/p": { podSelector: {} } } }));
  assertEquals([table.pods.size, table.chains.size, table.sets.size], [0, 0, 0]);
});

Deno.test("equal peers of two policies share their sets, however their selectors are written", () => {
  const peers = [{ matchLabels: { app: "web" } }, {
    matchExpressions: [{ key: "app", operator: "In", values: ["web", "web"] }],
  }];
  const policies = Object.fromEntries(peers.map((podSelector, index) => {
    return [`p${index}`, { podSelector: {}, ingress: [{ from: [{ podSelector }] }] }];
  }));
  const table = compilePolicyTable(worldOf({ ...WORLD, policies }));
  assertEquals([table.chains.size, table.sets.size], [2, 2]);
  assert([...table.sets.values()].some(({ elements }) => elements.has("192.0.2.1")));
});
