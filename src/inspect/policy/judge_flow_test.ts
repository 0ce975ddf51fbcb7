import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Address, parseAddress } from "../../ip/address.ts";
import { parseRuleset } from "../../trace/parse_ruleset.ts";
import { isolationsIn, type KernelPolicies } from "./isolation.ts";
import { type FlowVerdict, judgeFlow } from "./judge_flow.ts";
import { flowsOf, type Neighbourhood, parseFlowQuestion } from "./parse_flow.ts";

/** The golden table of src/policy, as nft lists it: of policies whose names its test has. */
const LISTED = Deno.readTextFileSync(new URL("../../trace/testdata/full.json", import.meta.url));
const KERNEL: KernelPolicies = {
  ruleset: parseRuleset(LISTED),
  names: {
    policies: ["default/web"],
    sets: new Map([["peers4_dd8a2c7d567b54a452718530", "IPv4 addresses of all pods of namespace lab"]]),
  },
};

function addresses(...texts: readonly string[]): Address[] {
  return texts.flatMap((text) => parseAddress(text) ?? []);
}

const NEAR: Neighbourhood = {
  pods: [
    { name: "default/web-0", link: "flock00000001", addresses: addresses("2001:db8::1", "192.0.2.1"), anycast: [] },
    {
      name: "default/any-0",
      link: "flock00000002",
      addresses: addresses("2001:db8::2", "192.0.2.2"),
      anycast: addresses("198.51.100.53"),
    },
    { name: "default/free", link: "flock00000009", addresses: addresses("192.0.2.20"), anycast: [] },
  ],
  nodeAddresses: new Set(["192.0.2.254"]),
};

function ask(from: string, to: string, kernel = KERNEL): readonly FlowVerdict[] {
  const question = parseFlowQuestion([from, to]);
  assert(typeof question !== "string", String(question));
  const flows = flowsOf(question, NEAR);
  assert(typeof flows !== "string", String(flows));
  return flows.map((flow) => judgeFlow(kernel, flow));
}

function answers(from: string, to: string): string[] {
  return ask(from, to).map(({ answer, halves }) => [answer, ...halves.map((half) => half.answer)].join(" "));
}

Deno.test("judgeFlow() says which rules allow it, with what their sets hold, and leaves the other node's half to it", () => {
  const [verdict, ...others] = ask("192.0.2.3", "default/web-0:8080");
  assert(verdict !== undefined);
  assertEquals(others, []);
  const [egress, ingress] = verdict.halves;
  assertEquals([verdict.answer, egress.answer], ["allowed", "elsewhere"]);
  assertEquals(egress.because, "192.0.2.3 is not on this node");
  const last = ingress.rules.at(-1);
  assertStringIncludes(last?.text ?? "", "(IPv4 addresses of all pods of namespace lab)");
  assertEquals([last?.chain, ingress.policy], ["in_82b3ade9d00cd1642a4d420e", "default/web"]);
});

Deno.test("judgeFlow() names every policy that was asked where none allows it, and what the pod has dropped so far", () => {
  const [verdict] = ask("203.0.113.99", "default/web-0:81");
  const ingress = verdict?.halves[1];
  assertEquals(verdict?.answer, "denied");
  assertEquals(ingress?.asked, ["default/web", "in_f53f05134ef9b752e3d17fb4"]);
  assertStringIncludes(
    ingress?.because ?? "",
    "by default/web, in_f53f05134ef9b752e3d17fb4 (allows nothing), none of which allows it",
  );
  assertEquals(ingress?.drops, { packets: 7, bytes: 420 });
});

Deno.test("judgeFlow() asks both ends of two pods of the node, each family for itself", () => {
  assertEquals(answers("default/web-0", "default/any-0:53/udp"), [
    "allowed allowed allowed",
    "allowed allowed allowed",
  ]);
  assertEquals(answers("default/web-0", "default/any-0:80"), ["denied denied allowed", "denied denied allowed"]);
  assertEquals(answers("default/free", "default/any-0:80"), ["allowed allowed allowed"]);
});

Deno.test("judgeFlow() knows an anycast address's pod, the node's own packets, and a pod that talks to itself", () => {
  assertEquals(answers("203.0.113.9", "198.51.100.53:53/udp"), ["allowed elsewhere allowed"]);
  assertEquals(answers("192.0.2.254", "default/web-0:9"), ["allowed allowed allowed"]);
  assertEquals(answers("default/web-0", "192.0.2.254:9"), ["allowed allowed allowed"]);
  assertEquals(answers("default/web-0", "192.0.2.1:9"), ["allowed allowed allowed"]);
});

Deno.test("judgeFlow() says nothing of what does not concern this node", () => {
  assertEquals(answers("203.0.113.9", "203.0.113.10:80"), ["unknown elsewhere elsewhere"]);
});

Deno.test("parseFlowQuestion() reads ports, protocols and both families, and refuses the rest", () => {
  const read = (...words: readonly string[]): unknown => {
    const question = parseFlowQuestion(words);
    return typeof question === "string" ? question : [question.protocol, question.port];
  };
  assertEquals(read("a/b", "[2001:db8::1]:80"), ["tcp", 80]);
  assertEquals(read("2001:db8::1", "a/b:53/udp"), ["udp", 53]);
  assertEquals(read("192.0.2.1", "a/b:7/sctp"), ["sctp", 7]);
  assertEquals(read("192.0.2.1", "a/b:icmp"), ["icmp", undefined]);
  for (
    const words of [["a/b"], ["a", "c/d:1"], ["a/b", "c/d"], ["a/b", "c/d:0"], ["a/b", "c/d:70000"], ["A/b", "c/d:1"]]
  ) {
    assertEquals(typeof read(...words), "string", words.join(" "));
  }
});

Deno.test("flowsOf() says when a pod is not on this node, and when no family is shared", () => {
  const question = (from: string, to: string): unknown => {
    const parsed = parseFlowQuestion([from, to]);
    return typeof parsed === "string" ? parsed : flowsOf(parsed, NEAR);
  };
  assertStringIncludes(String(question("ns/away", "default/web-0:80")), "pod ns/away is not on this node");
  assertEquals(question("2001:db8::9", "default/free:80"), "they have no IP family in common");
});

Deno.test("judgeFlow() lets everything pass through a table that isolates nobody, and hooks nowhere", () => {
  const empty = { ruleset: parseRuleset('{"nftables":[{"table":{"name":"flock-policy"}}]}'), names: KERNEL.names };
  const question = parseFlowQuestion(["192.0.2.9", "default/web-0:81"]);
  assert(typeof question !== "string");
  const flows = flowsOf(question, NEAR);
  assert(typeof flows !== "string");
  assertEquals(flows.map((flow) => judgeFlow(empty, flow).answer), ["allowed"]);
});

Deno.test("isolationsIn() tells each pod and direction that the kernel isolates, with policies, rules and drops", () => {
  const told = isolationsIn(KERNEL).map(({ link, direction, policies, drops }) =>
    [link, direction, policies.map(({ rules }) => rules).join(), drops.packets].join(" ")
  );
  assertEquals(told, ["flock00000001 ingress 10,0 7", "flock00000001 egress 10 0", "flock00000002 ingress 1,0 0"]);
});

Deno.test("judgeFlow() takes a direction whose chain is not there for one in which no pod is isolated", () => {
  const chains = new Map([...KERNEL.ruleset.chains].filter(([name]) => name !== "ingress"));
  const [verdict] = ask("203.0.113.99", "default/web-0:81", { ...KERNEL, ruleset: { ...KERNEL.ruleset, chains } });
  assertEquals(verdict?.halves[1].answer, "allowed");
  assertEquals(verdict?.halves[1].because, "no policy isolates default/web-0 for ingress");
});
