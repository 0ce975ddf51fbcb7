import type { AgentSnapshot } from "../../snapshot/agent_snapshot.ts";
import type { Finding } from "../report.ts";

const HINTS: Readonly<Record<string, string>> = {
  Invalid: "mend the fields that are named: kubectl edit nodeconfig",
  Deleted: "make it anew, or let the last one stay in force: it survives restarts of the agent",
  Missing: "make one of this node's name: kubectl apply",
  Unheard: "is the API server up, and can this node reach it?",
};

/** @returns why the NodeConfig is not in force as it is written, wholly, and what an operator should know of it */
export function nodeConfigFindings({ nodeConfig }: Pick<AgentSnapshot, "nodeConfig">): Finding[] {
  const { name, reason, message, warnings, inForce, failure, bgpProblems = [] } = nodeConfig;
  const subject = `NodeConfig ${name}`;
  const wrong = (more: Omit<Finding, "severity" | "subject">): Finding => ({ severity: "wrong", subject, ...more });
  const hint = `${HINTS[reason] ?? ""}${inForce === undefined ? "; until then no pod starts here" : ""}`;
  const isWritten = "be in force as it is written";
  return [
    ...(reason === "Accepted" ? [] : [wrong({ should: isWritten, is: `${reason}: ${message}`, hint })]),
    ...(failure === undefined ? [] : [
      wrong({ should: "be put into the node", is: failure, hint: "it is tried again; the agent's log has the rest" }),
    ]),
    ...bgpProblems.map((is) => ({
      ...wrong({ should: "be as it is written", is, hint: "mend spec.bgp.peers, or the Secret of the passwords" }),
      subject: `${subject}, BGP`,
    })),
    ...warnings.map((is) => wrong({ should: "", is, hint: warningHint(is) })),
  ];
}

function warningHint(warning: string): string {
  return /^spec\.bgp\.asn /.test(warning)
    ? "routers drop what looks like a loop: give each node an AS number of its own"
    : "kubectl edit nodeconfig, or the pods that it is about";
}
