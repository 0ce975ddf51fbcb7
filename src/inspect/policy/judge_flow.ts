import type { Address } from "../../ip/address.ts";
import type { Direction } from "../../policy/network_policy.ts";
import { type PacketDraft, packetOf } from "../../trace/packet.ts";
import { renderRule } from "../../trace/render_expression.ts";
import type { Counter } from "../../trace/ruleset.ts";
import { type Step, type Trace, tracePacket } from "../../trace/trace_packet.ts";
import { explainRule, type Isolation, isolationOf, type KernelPolicies, policyOfChain } from "./isolation.ts";

/** Where one end of a flow is. */
export type Place =
  /** A pod of this node. */
  | { readonly at: "pod"; readonly name: string; readonly link: string }
  /** The node itself. */
  | { readonly at: "node" }
  /** Neither: another node's pod, or outside of the cluster. */
  | { readonly at: "elsewhere" };

export type FlowEnd = Place & { readonly address: Address };

/** A new connection, or a first packet. */
export interface Flow {
  readonly from: FlowEnd;
  readonly to: FlowEnd;
  readonly protocol: PacketDraft["protocol"];
  readonly port?: number;
}

export type Answer = "allowed" | "denied" | "unknown";

/** A rule that the packet came to, as nft writes it. */
export interface RuleText {
  readonly chain: string;
  readonly handle: number;
  readonly text: string;
}

/** What policies of this node say of one end. */
export interface Half {
  /** `egress`: the sender's. */
  readonly direction: Direction;
  /** `elsewhere`: that end is not on this node, whose policies have no say in it. */
  readonly answer: Answer | "elsewhere";
  /** Why, a phrase. */
  readonly because: string;
  /** The policy that allows it. */
  readonly policy?: string;
  /** Of an isolated pod: all policies that were asked. */
  readonly asked?: readonly string[];
  /** What decided, from the pod's own chain on; none where nobody is asked. */
  readonly rules: readonly RuleText[];
  /** What the pod's chain has dropped so far, whoever sent it. */
  readonly drops?: Counter;
}

export interface FlowVerdict {
  readonly flow: Flow;
  readonly answer: Answer;
  readonly halves: readonly [egress: Half, ingress: Half];
}

/** How a packet comes or goes whose other end is not on the node. */
const UPLINK = "uplink";

/** Asks the kernel's table, as it is, what it does with the first packet of the flow. */
export function judgeFlow(kernel: KernelPolicies, flow: Flow): FlowVerdict {
  const halves = [judgeHalf(kernel, flow, "egress"), judgeHalf(kernel, flow, "ingress")] as const;
  return { flow, answer: worst(halves), halves };
}

function judgeHalf(kernel: KernelPolicies, flow: Flow, direction: Direction): Half {
  const unasked = whyUnasked(flow, direction);
  if (unasked !== undefined) return { direction, ...unasked, rules: [] };
  const own = direction === "egress" ? flow.from : flow.to;
  if (own.at !== "pod") return { direction, answer: "unknown", because: "not a pod of this node", rules: [] };
  const free = { answer: "allowed", because: `no policy isolates ${own.name} for ${direction}` } as const;
  // Without isolated pods there is no base chain.
  if (!kernel.ruleset.chains.has(direction)) return { direction, ...free, rules: [] };
  const trace = tracePacket(kernel.ruleset, { chain: direction, packet: packetOf(draftOf(flow)) });
  // The first step is the look into the verdict map: without it the pod is not isolated.
  const steps = trace.steps.slice(1);
  if (trace.outcome === "accept" && steps.length === 0) {
    return { direction, ...free, rules: [] };
  }
  return describe(kernel, { direction, trace, steps, isolation: isolationOf(kernel, own.link, direction) });
}

type Unasked = Pick<Half, "answer" | "because">;

/** @returns the answer where no policy of this node is asked */
function whyUnasked({ from, to }: Flow, direction: Direction): Unasked | undefined {
  const always = (because: string): Unasked => ({ answer: "allowed", because });
  if (from.at === "node") return always("a node's own packets pass always");
  if (to.at === "node") return always("what goes to the pod's own node passes always");
  if (from.at === "pod" && to.at === "pod" && from.link === to.link) return always("it never leaves the pod");
  const own = direction === "egress" ? from : to;
  if (own.at !== "elsewhere") return undefined;
  return { answer: "elsewhere", because: `${own.address.text} is not on this node` };
}

function describe(
  kernel: KernelPolicies,
  { direction, trace, steps, isolation }: {
    direction: Direction;
    trace: Trace;
    steps: readonly Step[];
    isolation: Isolation;
  },
): Half {
  const asked = isolation.policies.map(({ name }) => name);
  const policy = trace.outcome === "accept"
    ? steps.flatMap(({ chain }) => policyOfChain(chain, kernel.names) ?? []).at(-1)
    : undefined;
  return {
    direction,
    ...{ answer: ANSWERS[trace.outcome], because: reasonOf(trace, { direction, policy, isolation }) },
    ...(policy === undefined ? {} : { policy }),
    ...{ asked, rules: steps.map((step) => ruleText(step, kernel)), drops: isolation.drops },
  };
}

const ANSWERS: Readonly<Record<Trace["outcome"], Answer>> = { accept: "allowed", drop: "denied", undecided: "unknown" };

function reasonOf(
  { outcome, doubt }: Trace,
  { direction, policy, isolation: { policies } }: {
    direction: Direction;
    policy: string | undefined;
    isolation: Isolation;
  },
): string {
  if (outcome === "undecided") return doubt ?? "nobody knows";
  if (outcome === "accept") return policy === undefined ? "a rule allows it" : `NetworkPolicy ${policy} allows it`;
  const names = policies.map(({ name, rules }) => rules === 0 ? `${name} (allows nothing)` : name);
  if (names.length === 0) return `isolated for ${direction}, and no policy is asked`;
  const verdict = names.length === 1 ? "which does not allow it" : "none of which allows it";
  return `isolated for ${direction} by ${names.join(", ")}, ${verdict}`;
}

function ruleText({ chain, rule }: Step, { names }: KernelPolicies): RuleText {
  return { chain, handle: rule.handle, text: explainRule(renderRule(rule), names) };
}

function draftOf({ from, to, protocol, port }: Flow): PacketDraft {
  return {
    cameBy: from.at === "pod" ? from.link : UPLINK,
    leavesBy: to.at === "pod" ? to.link : UPLINK,
    ...{ source: from.address, destination: to.address, protocol, state: "new" },
    ...(port === undefined ? {} : { port }),
  };
}

function worst(halves: readonly Half[]): Answer {
  for (const answer of ["denied", "unknown"] as const) if (halves.some((half) => half.answer === answer)) return answer;
  return halves.every(({ answer }) => answer === "elsewhere") ? "unknown" : "allowed";
}
