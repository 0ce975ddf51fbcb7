/** One pod's way from the API to the routers, step by step: what should be, and what is. Pure. */
import { contains, hostPrefix, parseAddress, parsePrefix } from "../ip/address.ts";
import { diffHostEnd } from "../link/diff_attachment.ts";
import { compileGuard } from "../nft/guard_model.ts";
import { servedByLink } from "../route/read_routes.ts";
import type { AnycastSnapshot, PodSnapshot } from "../snapshot/agent_snapshot.ts";
import { attachmentOf, type Belief, carries } from "./belief.ts";
import { ageOf, anycastHint } from "./findings/agent_findings.ts";
import { failureOf, type Gathered, seen } from "./sources.ts";

export interface Step {
  readonly step: string;
  readonly should: string;
  readonly is: string;
  /** `unseen`: nobody knows, or it is only told. */
  readonly verdict: "well" | "wrong" | "notice" | "unseen";
  readonly hint?: string;
}

interface Around {
  readonly gathered: Gathered;
  readonly belief: Belief;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** @returns the steps, in the order in which a pod comes to be reached */
export function followPod(pod: PodSnapshot, around: Around): Step[] {
  return [
    apiStep(pod, around),
    ...annotationSteps(pod),
    recordStep(pod, around),
    ...requestSteps(pod, around),
    ...pod.addresses.map((address) => addressStep(address, { pod, around })),
    ...kernelSteps(pod, around),
    ...guardSteps(pod, around),
    ...pod.addresses.map((address) => advertisedStep(address, around)),
    ...pod.anycast.flatMap((each) => anycastSteps(each, { pod, around })),
    ...policySteps(pod, around),
  ];
}

function told(step: string, is: string): Step {
  return { step, should: "", is, verdict: "unseen" };
}

function apiStep({ ready, terminating }: PodSnapshot, { belief }: Around): Step {
  const step = "API server";
  if (belief.from !== "agent") return told(step, "only the agent hears it");
  if (ready === undefined) {
    const hint = "its Events, and flock inspect, tell whether the API server is heard";
    return { step, should: "know it", is: "the watch does not know it", verdict: "notice", hint };
  }
  if (terminating === true) {
    return { step, should: "", is: "it is being deleted", verdict: "notice", hint: "its DEL takes all of this away" };
  }
  const hint = "kubectl describe pod: a probe fails, or a container has not started";
  return ready
    ? { step, should: "be Ready", is: "Ready", verdict: "well" }
    : { step, should: "be Ready", is: "it is not", verdict: "notice", hint };
}

function annotationSteps({ annotations = {} }: PodSnapshot): Step[] {
  return Object.entries(annotations).map(([key, value]) => told(`annotation ${key}`, value));
}

function recordStep({ state, since }: PodSnapshot, { now }: Around): Step {
  const is = `${state}, ${ageOf(since, now)} old`;
  const base = { step: "record", should: "be committed", is } as const;
  return state === "committed"
    ? { ...base, verdict: "well" }
    : { ...base, verdict: "notice", hint: "its ADD is under way; if that stays so, the agent's log says why" };
}

/** By its id the agent's log, the plugin's error and the pod's Events know it. */
function requestSteps({ lastRequestId, lastRequest }: PodSnapshot, { now }: Around): Step[] {
  if (lastRequestId === undefined) return [];
  if (lastRequest === undefined) return [told("last request", lastRequestId)];
  const { verb, at, ms, error } = lastRequest;
  const what = `${verb} ${lastRequestId}, answered ${ageOf(at, now)} ago after ${ms} ms`;
  const base = { step: "last request", should: "be done" } as const;
  return error === undefined
    ? [{ ...base, is: what, verdict: "well" }]
    : [{ ...base, is: `${what}: ${error}`, verdict: "notice", hint: `the agent's log has more of ${lastRequestId}` }];
}

function addressStep(text: string, { pod, around }: { pod: PodSnapshot; around: Around }): Step {
  const cidr = cidrOf(text, around.belief);
  const chosen = (pod.annotations?.["addresses"] ?? "").split(",").some((each) =>
    parseAddress(each.trim())?.text === text
  );
  const origin = chosen
    ? "chosen by annotation addresses"
    : cidr !== undefined
    ? `from the pool ${cidr}`
    : "in no CIDR that is in force: left from one that was, or chosen by an annotation that is gone";
  return told(`address ${text}`, origin);
}

function cidrOf(text: string, { nodeConfig }: Belief): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return undefined;
  return [...nodeConfig?.cidr6 ?? [], ...nodeConfig?.cidr4 ?? []].find((cidr) => {
    const prefix = parsePrefix(cidr);
    return prefix !== undefined && contains(prefix, hostPrefix(address));
  });
}

/** What a difference of the host's end is about, by its words. */
const KERNEL_PARTS: readonly (readonly [step: string, about: RegExp])[] = [
  ["route", /^host route/],
  ["neighbour", /neighbour/],
  ["link", /^/],
];

function kernelSteps(pod: PodSnapshot, { gathered, belief }: Around): Step[] {
  const ends = seen(gathered.ends);
  const steps = KERNEL_PARTS.map(([step]) => step).toReversed();
  if (ends === undefined) return steps.map((step) => told(step, "could not be looked at"));
  const end = ends.get(pod.hostLink) ?? { link: undefined, routes: [], neighbors: [] };
  const differences = diffHostEnd(attachmentOf(pod), end);
  const partOf = (difference: string): string => KERNEL_PARTS.find(([, about]) => about.test(difference))?.[0] ?? "";
  const hint = whenPutBack(belief);
  return steps.map((step): Step => {
    const own = differences.filter((difference) => partOf(difference) === step);
    const should = step === "link"
      ? `be ${pod.hostLink}, up, of MTU ${pod.mtu}`
      : `be there for all of its ${pod.addresses.length} addresses, over ${pod.hostLink}`;
    return own.length === 0 && (step === "link" || end.link !== undefined)
      ? { step, should, is: "ok", verdict: "well" }
      : { step, should, is: own.join("; ") || "the link is missing", verdict: "wrong", hint };
  });
}

function whenPutBack({ from }: Belief): string {
  return from === "agent"
    ? "the agent puts it back within 2 s: look again; if it stays, its log says why"
    : "the agent puts it back when it runs again";
}

function guardSteps(pod: PodSnapshot, { gathered, belief }: Around): Step[] {
  const elements = seen(gathered.guard)?.elements;
  const step = "source check";
  if (elements === undefined) return [told(step, "could not be looked at")];
  const { hostLink: link, addresses, anycast = [] } = attachmentOf(pod);
  const grants = [...addresses, ...anycast].map((address) => ({ link, address }));
  const { own4, own6 } = compileGuard({ grants, podPrefixes: [] });
  const lacks = [
    ...own4.filter((each) => elements.get("inet own4")?.has(each) !== true),
    ...own6.filter((each) => elements.get("inet own6")?.has(each) !== true),
  ];
  const should = "pass what it sends from its own addresses";
  return lacks.length === 0
    ? [{ step, should, is: "ok", verdict: "well" }]
    : [{ step, should, is: `lacks ${lacks.join(", ")}: that is dropped`, verdict: "wrong", hint: whenPutBack(belief) }];
}

/** Inside a CIDR the aggregate covers it; else it is advertised by itself. */
function advertisedStep(text: string, { gathered, belief }: Around): Step {
  const step = `BGP ${text}`;
  const agent = seen(gathered.agent);
  if (agent === undefined) return told(step, "only the agent knows what it has told BIRD");
  const address = parseAddress(text);
  const prefix = cidrOf(text, belief) ?? (address === undefined ? text : hostPrefix(address).text);
  const should = `be advertised as ${prefix}`;
  if (!agent.advertised.includes(prefix)) {
    const hint = "is its ADD done, or does spec.bgp.maxAnnounced leave it out? flock inspect summary";
    return { step, should, is: "BIRD was not told", verdict: "wrong", hint };
  }
  if (!agent.bird.applied) {
    const is = `BIRD does not have it: ${agent.bird.message ?? agent.bird.reason}`;
    return { step, should, is, verdict: "wrong", hint: "flock inspect bgp" };
  }
  return sessionStep({ step, should }, { prefix, gathered, belief });
}

function sessionStep(
  base: Pick<Step, "step" | "should">,
  { prefix, gathered, belief }: { prefix: string; gathered: Gathered; belief: Belief },
): Step {
  const peers = (belief.nodeConfig?.peers ?? []).filter((peer) => carries(peer, prefix));
  const bgp = seen(gathered.bgp);
  if (failureOf(gathered.bgp) !== undefined) return told(base.step, "could not be looked at");
  if (bgp === undefined) return { ...base, is: "BIRD does not answer", verdict: "wrong", hint: "flock inspect bgp" };
  if (!bgp.originated.includes(prefix)) {
    return { ...base, is: "BIRD does not originate it", verdict: "wrong", hint: "flock inspect bgp" };
  }
  if (peers.length === 0) {
    const is = `the NodeConfig names no peer for IPv${prefix.includes(":") ? 6 : 4}`;
    return { ...base, is, verdict: "notice", hint: "spec.bgp.peers" };
  }
  const untold = peers.filter(({ address }) => bgp.exported.get(address)?.includes(prefix) !== true);
  if (untold.length === 0) {
    return {
      ...base,
      is: `told to ${peers.map(({ address }) => address).join(", ")}`,
      verdict: "well",
    };
  }
  const is = `not told to ${untold.map(({ address }) => address).join(", ")}`;
  return { ...base, is, verdict: "wrong", hint: "flock inspect bgp" };
}

function anycastSteps(
  { address, advertised, reason = "unknown" }: AnycastSnapshot,
  { pod, around: { gathered, belief } }: { pod: PodSnapshot; around: Around },
): Step[] {
  if (belief.from !== "agent") return [told(`anycast ${address}`, "only the agent knows whether it is advertised")];
  const step = `anycast ${address}`;
  const should = "be advertised while the pod is Ready";
  if (!advertised) {
    return [{ step, should, is: `it is not: ${reason}`, verdict: "notice", hint: anycastHint(reason) }];
  }
  const found = seen(gathered.anycast);
  if (found === undefined) return [{ step, should, is: "advertised", verdict: "well" }];
  const isLed = servedByLink(found).get(pod.hostLink)?.some(({ text }) => text === address) === true;
  return isLed ? [{ step, should, is: "advertised, and led to this pod", verdict: "well" }] : [{
    ...{ step, should, verdict: "wrong", hint: whenPutBack(belief) },
    is: `advertised, but no route leads there over ${pod.hostLink}`,
  }];
}

function policySteps({ hostLink, namespace, name }: PodSnapshot, { gathered }: Around): Step[] {
  const agent = seen(gathered.agent);
  const kernel = seen(gathered.isolation);
  const step = "NetworkPolicy";
  if (agent === undefined && kernel === undefined) return [told(step, "could not be looked at")];
  const wanted = agent?.policy.isolatedLinks.find(({ link }) => link === hostLink)?.directions ?? [];
  const found = (["ingress", "egress"] as const).filter((direction) => kernel?.has(`${direction} ${hostLink}`));
  const say = (directions: readonly string[]): string =>
    directions.length === 0 ? "isolated by none" : `isolated in ${directions.join(" and ")}`;
  const more = namespace === undefined ? "" : `flock inspect policy ${namespace}/${name} says by which`;
  if (agent === undefined || kernel === undefined) return [told(step, say(agent === undefined ? found : wanted))];
  const isSame = wanted.every((each) => found.includes(each)) && found.every((each) => wanted.includes(each));
  return [{ step, should: `be ${say(wanted)}`, is: say(found), verdict: isSame ? "well" : "wrong", hint: more }];
}
