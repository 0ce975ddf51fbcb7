/** The kernel against what it should have by the word of whoever knows. Pure. */
import { diffHostEnd, type KernelEnd } from "../../link/diff_attachment.ts";
import { servedByLink } from "../../route/read_routes.ts";
import { attachmentOf, type Belief, nameOf } from "../belief.ts";
import type { Finding } from "../report.ts";
import { type Gathered, seen } from "../sources.ts";

const NO_END: KernelEnd = { link: undefined, routes: [], neighbors: [] };
const GUARD = ["inet flock", "arp flock"];
const POLICIES = "inet flock-policy";

/** @param gathered with `ends`, `routes`, `anycast` and `tables`; what is missing of them is not judged */
export function driftFindings(gathered: Gathered, belief: Belief): Finding[] {
  if (belief.from === "nothing") return [];
  return [
    ...withHint(tableFindings(gathered, belief), belief),
    ...withHint(blackholeFindings(gathered, belief), belief),
    ...podFindings(gathered, belief),
    ...withHint(anycastFindings(gathered, belief), belief),
  ];
}

/** @param gathered with `ends`. @returns what of pods' links is not as it should be, and links that are nobody's */
export function podFindings(gathered: Gathered, belief: Belief): Finding[] {
  return belief.from === "nothing" ? [] : withHint(linkDifferences(gathered, belief), belief);
}

function withHint(differences: readonly Difference[], { from }: Belief): Finding[] {
  const hint = from === "agent"
    ? "the agent puts this back within 2 s: look again; if it stays, the agent's log says why"
    : "it is put back when the agent runs again";
  return differences.map((each) => ({ severity: "wrong", hint, ...each }));
}

type Difference = Pick<Finding, "subject" | "should" | "is"> & Partial<Finding>;

function tableFindings(gathered: Gathered, { nodeConfig, from }: Belief): Difference[] {
  const tables = seen(gathered.tables);
  if (tables === undefined || nodeConfig === undefined) return [];
  const isEnforcing = from === "files" || seen(gathered.agent)?.policy.inForce === true;
  const wanted = [...GUARD, ...(isEnforcing ? [POLICIES] : [])];
  return wanted.filter((table) => !tables.has(table)).map((table) => ({
    subject: `nft table ${table}`,
    should: table === POLICIES ? "hold the NetworkPolicies" : "keep pods from sending by others' addresses",
    is: "it is missing",
  }));
}

function blackholeFindings(gathered: Gathered, { nodeConfig }: Belief): Difference[] {
  const routes = seen(gathered.routes);
  if (routes === undefined || nodeConfig === undefined) return [];
  const blackholes = new Set(
    routes.filter(({ details }) => details.includes("type blackhole")).map(({ destination }) => destination),
  );
  return [...nodeConfig.cidr6, ...nodeConfig.cidr4].filter((cidr) => !blackholes.has(cidr)).map((cidr) => ({
    subject: `route ${cidr}`,
    should: "be a blackhole, so that packets to free addresses do not loop",
    is: "it is missing",
  }));
}

function linkDifferences(gathered: Gathered, { pods, from }: Belief): Difference[] {
  const ends = seen(gathered.ends);
  if (ends === undefined) return [];
  const known = new Set(pods.map(({ hostLink }) => hostLink));
  const strays = [...ends.keys()].filter((link) => !known.has(link));
  const deleted = from === "files" ? "; or the pod was deleted since, which the agent has yet to note" : "";
  return [
    ...pods.filter(({ state }) => state === "committed").flatMap((pod) =>
      diffHostEnd(attachmentOf(pod), ends.get(pod.hostLink) ?? NO_END).map((difference) => ({
        subject: `pod ${nameOf(pod)}`,
        should: "be as its ADD made it",
        is: `${difference}${ends.has(pod.hostLink) ? "" : deleted}`,
      }))
    ),
    ...strays.map((link): Difference => ({
      severity: "notice",
      subject: `link ${link}`,
      should: "be some pod's",
      is: "no record knows it",
      hint: "the agent removes it when its network namespace is gone, or knows it by its alias after a restart",
    })),
  ];
}

/** Only the agent knows what is to be served now. */
function anycastFindings(gathered: Gathered, { pods, from }: Belief): Difference[] {
  const found = seen(gathered.anycast);
  if (found === undefined || from !== "agent") return [];
  const served = servedByLink(found);
  return pods.flatMap((pod) =>
    pod.anycast.filter(({ address, advertised }) => advertised && !isServed(address, served.get(pod.hostLink)))
      .map(({ address }) => ({
        subject: `pod ${nameOf(pod)}`,
        should: `be led to for anycast ${address}`,
        is: `no route leads there over ${pod.hostLink}`,
      }))
  );
}

function isServed(address: string, served: readonly { readonly text: string }[] = []): boolean {
  return served.some(({ text }) => text === address);
}
