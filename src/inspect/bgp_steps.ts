/** What of a pod routers are told, step by step. Pure. */
import { hostPrefix, parseAddress } from "../ip/address.ts";
import { servedByLink } from "../route/read_routes.ts";
import type { AnycastSnapshot, PodSnapshot } from "../snapshot/agent_snapshot.ts";
import { type Belief, carries } from "./belief.ts";
import { anycastHint } from "./findings/agent_findings.ts";
import { failureOf, type Gathered, seen } from "./sources.ts";
import { type Around, cidrOf, type Step, told, whenPutBack } from "./step.ts";

/** Inside a CIDR the aggregate covers it; else it is advertised by itself. */
export function advertisedStep(text: string, { gathered, belief }: Around): Step {
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

export function anycastSteps(
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
