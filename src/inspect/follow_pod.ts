/** One pod's way from the API to the routers, step by step: what should be, and what is. Pure. */
import { parseAddress } from "../ip/address.ts";
import { diffHostEnd } from "../link/diff_attachment.ts";
import { compileGuard } from "../nft/guard_model.ts";
import type { PodSnapshot } from "../snapshot/agent_snapshot.ts";
import { attachmentOf } from "./belief.ts";
import { advertisedStep, anycastSteps } from "./bgp_steps.ts";
import { ageOf } from "./findings/agent_findings.ts";
import { seen } from "./sources.ts";
import { type Around, cidrOf, type Step, told, whenPutBack } from "./step.ts";

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
