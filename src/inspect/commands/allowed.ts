import { parseAddress } from "../../ip/address.ts";
import type { PodSnapshot } from "../../snapshot/agent_snapshot.ts";
import { beliefOf, nameOf } from "../belief.ts";
import type { KernelPolicies } from "../policy/isolation.ts";
import { type Flow, type FlowVerdict, type Half, judgeFlow } from "../policy/judge_flow.ts";
import { flowsOf, type LocalPod, parseFlowQuestion } from "../policy/parse_flow.ts";
import { ruleSection, TABLE_MISSING } from "../policy/policy_report.ts";
import type { Cell, Finding, Report, Tone } from "../report.ts";
import { type Gathered, seen } from "../sources.ts";
import type { Command } from "./command.ts";

/** Whether a connection may be made, by the kernel's own table: also while the agent is dead. */
export const allowed: Command = {
  name: "allowed",
  parameters: "FROM TO:PORT",
  summary: "may FROM talk to TO, each NS/POD or an IP; PORT is 80, 80/udp, 80/sctp or icmp",
  refuse: (words) => {
    const question = parseFlowQuestion(words);
    return typeof question === "string" ? question : undefined;
  },
  needs: () => ["agent", "files", "policies", "nodeAddresses"],
  inspect: (gathered, { words }) => inspectFlow(gathered, words),
};

function inspectFlow(gathered: Gathered, words: readonly string[]): Report {
  const question = parseFlowQuestion(words);
  const kernel = seen(gathered.policies);
  const nodeAddresses = seen(gathered.nodeAddresses);
  const nothing: Report = { fields: {}, findings: [], sections: [] };
  if (typeof question === "string" || kernel === undefined || nodeAddresses === undefined) return nothing;
  const belief = beliefOf(gathered);
  if (belief.from === "nothing") {
    return { ...nothing, unseen: "neither the agent nor its files say which pods are here" };
  }
  const flows = flowsOf(question, { pods: belief.pods.map(localPodOf), nodeAddresses });
  if (typeof flows === "string") return { ...nothing, unseen: flows };
  const { ruleset, names } = kernel;
  return ruleset === undefined ? { ...nothing, findings: [TABLE_MISSING] } : reportOf({ ruleset, names }, flows);
}

function localPodOf(pod: PodSnapshot): LocalPod {
  const parse = (texts: readonly string[]): LocalPod["addresses"] => texts.flatMap((text) => parseAddress(text) ?? []);
  return {
    name: nameOf(pod),
    link: pod.hostLink,
    addresses: parse(pod.addresses),
    anycast: parse(pod.anycast.map(({ address }) => address)),
  };
}

function reportOf(kernel: KernelPolicies, flows: readonly Flow[]): Report {
  const verdicts = flows.map((flow) => judgeFlow(kernel, flow));
  const doubtful = verdicts.filter(({ answer }) => answer === "unknown");
  const rules = verdicts.flatMap(({ halves }) => halves.flatMap((half) => half.rules));
  const distinct = [...new Map(rules.map((rule) => [rule.handle, rule])).values()];
  return {
    fields: { flows: verdicts.map(flowField) },
    findings: verdicts.flatMap(findingsOf),
    sections: [
      {
        columns: ["from", "to", "answer", "", "because", "dropped"].map((title) => ({ title })),
        rows: verdicts.flatMap((verdict) => verdict.halves.map((half) => rowOf(verdict, half))),
      },
      ruleSection(distinct, "rules that it came to (nft -a list table inet flock-policy)"),
    ],
    ...(doubtful.length > 0 && { unseen: doubtful.flatMap(({ halves }) => halves.flatMap(doubtOf)).join("; ") }),
  };
}

function doubtOf({ answer, because }: Half): string[] {
  return answer === "unknown" || answer === "elsewhere" ? [because] : [];
}

const TONES: Readonly<Record<Half["answer"], Tone>> = {
  allowed: "good",
  denied: "bad",
  unknown: "warn",
  elsewhere: "dim",
};

function rowOf({ flow: { from, to } }: FlowVerdict, { direction, answer, because, drops }: Half): Cell[] {
  const said: Cell = { text: answer === "elsewhere" ? "not judged here" : answer, tone: TONES[answer] };
  const end = direction === "egress" ? "leaving" : "arriving";
  return [from.address.text, to.address.text, said, end, because, drops === undefined ? "" : `${drops.packets}`];
}

function findingsOf({ flow, answer, halves }: FlowVerdict): Finding[] {
  const { from, to, protocol, port } = flow;
  const what = `${from.address.text} -> ${to.address.text} ${protocol}${port === undefined ? "" : ` ${port}`}`;
  if (answer !== "denied") return [];
  return halves.filter((half) => half.answer === "denied").map(({ direction, because, asked = [] }) => ({
    severity: "wrong",
    subject: `${what}, ${direction}`,
    should: "",
    is: `denied: ${because}`,
    hint: asked.length === 0
      ? "a policy that allows it has to select the pod"
      : `one of these must allow it, or another that selects the pod: flock inspect policy ${asked[0]}`,
  }));
}

function flowField({ flow: { from, to, protocol, port }, answer, halves }: FlowVerdict): Record<string, unknown> {
  const end = ({ address, ...place }: Flow["from"]): Record<string, unknown> => ({ ...place, address: address.text });
  return { from: end(from), to: end(to), protocol, port, answer, halves };
}
