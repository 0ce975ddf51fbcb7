/** What `policy`, `allowed`, `anycast`, `bgp` and `address` make of what was gathered. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { PodSnapshot } from "../../snapshot/agent_snapshot.ts";
import type { StateDocument } from "../../store/state_document.ts";
import { AGENT, ANYCAST, AT, BGP, findingsOf, inspect, LINK, NOW, POD, ROUTER, rowsOf } from "./_routing_fixture.ts";

const DEAD = { agent: { silent: "nobody listens" } } as const;
const NO_BIRD = {
  bgp: { silent: "no socket" },
  led: { silent: "no socket" },
  sessions: { silent: "no socket" },
} as const;

function withPod(more: Partial<PodSnapshot>): { agent: { seen: typeof AGENT } } {
  return { agent: { seen: { ...AGENT, pods: [{ ...POD, ...more }] } } };
}

Deno.test("on a node that is well none of the commands finds anything", () => {
  const calls = [
    "policy",
    "allowed 203.0.113.9 198.51.100.53:443",
    "anycast",
    "bgp",
    "address 192.0.2.1",
    `address ${ANYCAST}`,
  ];
  for (const call of calls) assertEquals(findingsOf(inspect(call.split(" "))), [], call);
});

Deno.test("policy names each policy with its pods and rules, and each isolated pod with what was dropped", () => {
  const rows = rowsOf(inspect(["policy"]));
  assertEquals(rows[0], "default/web | egress,ingress | 1 | 20 | in force");
  assertEquals(rows[3], `default/web-0 | ingress | 7 | default/web, in_f53f05134ef9b752e3d17fb4 | ${LINK}`);
  assertStringIncludes(rowsOf(inspect(["policy"])).join("\n"), "allows nothing");
});

Deno.test("policy says which policies fail closed, and why", () => {
  const problems = [{ namespace: "default", name: "web", reason: "PolicyInvalid", message: "spec is odd" }];
  const report = inspect(["policy"], { agent: { seen: { ...AGENT, policy: { ...AGENT.policy, problems } } } });
  assertStringIncludes(rowsOf(report)[0] ?? "", "fails closed (PolicyInvalid)");
  assertStringIncludes(findingsOf(report).join(), "spec is odd");
});

Deno.test("policy finds where the kernel isolates others than the agent says, and a table that is missing", () => {
  const isolatedLinks = [{ link: LINK, directions: ["ingress" as const] }, {
    link: "flock00000003",
    directions: ["egress" as const],
  }];
  const report = inspect(["policy"], { agent: { seen: { ...AGENT, policy: { ...AGENT.policy, isolatedLinks } } } });
  assertEquals(findingsOf(report).map((text) => text.split(":")[0]), [
    "wrong pod flock00000003, egress",
    "wrong pod default/web-0, egress",
    "wrong pod flock00000002, ingress",
  ]);
  const gone = { policies: { seen: { names: { policies: [], sets: new Map() } } } };
  assertStringIncludes(findingsOf(inspect(["policy"], gone)).join(), "no NetworkPolicy is in force on this node");
  assertStringIncludes(findingsOf(inspect(["allowed", "192.0.2.9", "192.0.2.1:80"], gone)).join(), "it is missing");
});

Deno.test("policy NS/NAME has the rules of that policy alone, and could not look for one that isolates nobody here", () => {
  const { fields } = inspect(["policy", "default/web"]);
  const rules = fields["rules"] as { chain: string }[];
  const counts = Map.groupBy(rules, ({ chain }) => chain.replace(/_.*/, ""));
  assertEquals([...counts].map(([kind, { length }]) => `${kind} ${length}`), ["in 10", "out 10", "dports 4"]);
  assertStringIncludes(inspect(["policy", "default/none"]).unseen ?? "", "isolates no pod of this node");
});

Deno.test("allowed makes a denial a finding, and answers while the agent is dead as long as its files are there", () => {
  const report = inspect(["allowed", "203.0.113.99", "default/web-0:81"]);
  assertStringIncludes(findingsOf(report).join(), "denied: isolated for ingress by default/web");
  assertEquals((report.fields["flows"] as { answer: string }[]).map(({ answer }) => answer), ["denied"]);
  assertStringIncludes(inspect(["allowed", "192.0.2.9", "192.0.2.1:80"], DEAD).unseen ?? "", "neither the agent nor");
});

Deno.test("allowed could not look at a flow between two others, and at a pod that is elsewhere", () => {
  assertStringIncludes(inspect(["allowed", "203.0.113.1", "203.0.113.2:80"]).unseen ?? "", "is not on this node");
  assertStringIncludes(inspect(["allowed", "ns/away", "192.0.2.1:80"]).unseen ?? "", "give its address");
});

Deno.test("anycast follows an address from the pod's readiness over the kernel's route to the router", () => {
  assertEquals(rowsOf(inspect(["anycast"])), [`${ANYCAST} | default/web-0 | yes | yes |  | yes | yes | ${ROUTER}`]);
});

Deno.test("anycast says why an address is not advertised, and what the kernel or BIRD lacks", () => {
  const late = inspect(
    ["anycast"],
    withPod({ ready: false, anycast: [{ address: ANYCAST, advertised: false, reason: "notReady" }] }),
  );
  assertStringIncludes(rowsOf(late).join(), "no | no | notReady");
  assertStringIncludes(findingsOf(late).join(), `anycast ${ANYCAST}`);
  const anycast = {
    seen: { taken: new Set<number>(), own: new Set<number>(), hops: [], groups: new Map(), routes: [] },
  };
  assertStringIncludes(findingsOf(inspect(["anycast"], { anycast })).join(), "no route leads there over");
  const bgp = { seen: { ...BGP, originated: ["192.0.2.0/26", "2001:db8::/64"] } };
  assertStringIncludes(findingsOf(inspect(["anycast"], { bgp })).join(), `originate ${ANYCAST}/32 | it does not`);
});

Deno.test("bgp tells routes in and out of each session, whose each prefix is, and who is told of it", () => {
  assertEquals(rowsOf(inspect(["bgp"])), [
    `${ROUTER} | 65000 | Established | ${AT} | 3 | 2 | `,
    "2001:db8::/64 | node CIDR | yes | nobody",
    `192.0.2.0/26 | node CIDR | yes | ${ROUTER}`,
    `${ANYCAST}/32 | anycast of default/web-0 | yes | ${ROUTER}`,
  ]);
});

Deno.test("bgp finds what BIRD originates and should not, what a session leaves out, and that BIRD is dead", () => {
  const more = { seen: { ...BGP, originated: [...BGP.originated, "203.0.113.0/24"] } };
  const found = findingsOf(inspect(["bgp"], { bgp: more }));
  assertEquals(found, [
    "wrong BIRD: not originate 203.0.113.0/24 | it does",
    `wrong BGP session ${ROUTER}: tell the router of 203.0.113.0/24 | BIRD's export leaves it out`,
  ]);
  assertStringIncludes(findingsOf(inspect(["bgp"], NO_BIRD)).join(), "wrong BIRD: answer | it does not: no socket");
});

Deno.test("address tells pod and link, the node, a peer, what is reserved, free and of no CIDR", () => {
  const says = (address: string): string => rowsOf(inspect(["address", address]))[0] ?? "";
  assertEquals(says("192.0.2.1"), `pod | default/web-0 (${LINK}) since ${AT}`);
  assertEquals(says("192.0.2.253"), "node | an address of this node itself");
  assertEquals(says(ROUTER), "peer | a BGP peer of this node, AS 65000");
  assertEquals(says("192.0.2.0"), "reserved | of 192.0.2.0/26, the network's own: no pod ever gets it");
  assertEquals(says("192.0.2.63"), "reserved | of 192.0.2.0/26, the broadcast address: no pod ever gets it");
  assertEquals(says("2001:db8::"), "reserved | of 2001:db8::/64, the all-zeros host: no pod ever gets it");
  assertEquals(says("192.0.2.9"), "free | of 192.0.2.0/26, and nobody has it");
  assertEquals(says("203.0.113.1"), "foreign | in no CIDR of this node");
});

Deno.test("address tells until when one rests that was freed, and no longer than that", () => {
  const resting = [{ address: "192.0.2.9", freedAt: NOW - 10_000 }, { address: "192.0.2.10", freedAt: NOW - 40_000 }];
  const state = { state: { allocations: new Map(), resting, tombstones: [], cursors: new Map() } };
  const recorded = { seen: { state: state as unknown as StateDocument, problems: [] } };
  const says = (address: string): string => rowsOf(inspect(["address", address], { recorded }))[0] ?? "";
  assertEquals(says("192.0.2.9"), "resting | freed a short while ago, rests until 2026-11-21T12:00:20.000Z");
  assertEquals(says("192.0.2.10"), "free | of 192.0.2.0/26, and nobody has it");
});

Deno.test("address says why nobody can reach it: no prefix, no session, no BIRD, an anycast pod that is not Ready", () => {
  const none = { seen: { ...BGP, exported: new Map() } };
  assertStringIncludes(findingsOf(inspect(["address", "192.0.2.1"], { bgp: none })).join(), "no session tells anybody");
  const bare = { seen: { ...BGP, originated: [], exported: new Map() } };
  assertStringIncludes(findingsOf(inspect(["address", "192.0.2.1"], { bgp: bare })).join(), "originates no prefix");
  assertStringIncludes(findingsOf(inspect(["address", "192.0.2.1"], NO_BIRD)).join(), "wrong BIRD: answer");
  const late = withPod({ anycast: [{ address: ANYCAST, advertised: false, reason: "notReady" }] });
  assertStringIncludes(findingsOf(inspect(["address", ANYCAST], late)).join(), "default/web-0 notReady");
});
