import { quote } from "../../fault/invalid_input.ts";
import type { PodSnapshot } from "../../snapshot/agent_snapshot.ts";
import { beliefOf, nameOf } from "../belief.ts";
import { bad, dim, good, warn } from "../cells.ts";
import { agentFindings } from "../findings/agent_findings.ts";
import { followPod } from "../follow_pod.ts";
import type { Cell, Finding, Report, Section } from "../report.ts";
import { type Gathered, seen } from "../sources.ts";
import type { Step } from "../step.ts";
import type { Command } from "./command.ts";

/** One pod, from its annotations to what routers are told. */
export const pod: Command = {
  name: "pod",
  parameters: "NS/NAME",
  summary: "one pod, from annotation to address, link, route, BIRD and policy",
  refuse: (words) => words.length === 1 && /^[^/]+\/[^/]+$/.test(words[0] ?? "") ? undefined : "it takes one NS/NAME",
  needs: () => ["agent", "files", "ends", "routes", "anycast", "guard", "isolation", "bgp"],
  inspect: follow,
};

function follow(gathered: Gathered, { words, now }: { words: readonly string[]; now: number }): Report {
  const belief = beliefOf(gathered);
  const name = words[0] ?? "";
  const found = belief.pods.filter((each) => nameOf(each) === name);
  const dead = seen(gathered.agent) === undefined ? agentFindings(gathered, { belief, now }) : [];
  if (found.length === 0) return missing(gathered, { name, dead });
  const followed = found.map((each) => ({ pod: each, steps: followPod(each, { gathered, belief, now }) }));
  return {
    fields: { pods: followed },
    findings: [...dead, ...followed.flatMap(({ pod, steps }) => steps.flatMap((step) => findingOf(pod, step)))],
    sections: followed.map(({ pod, steps }) => sectionOf(pod, steps)),
  };
}

/** What the agent has lately said of it may tell why. */
function missing(gathered: Gathered, { name, dead }: { name: string; dead: readonly Finding[] }): Report {
  const failures = seen(gathered.agent)?.failures ?? [];
  const about = failures.filter(({ what }) => what.includes(name)).slice(-3);
  const findings = about.map(({ at, what }): Finding => ({
    ...{ severity: "wrong", subject: `pod ${name}`, should: "have addresses here", is: `at ${at} ${what}` },
    hint: `kubectl describe pod -n ${name.replace("/", " ")} has the same as Events`,
  }));
  return {
    fields: { pods: [] },
    findings: [...dead, ...findings],
    sections: [],
    unseen: `no pod ${quote(name)} has addresses on this node`,
  };
}

function findingOf(pod: PodSnapshot, { step, should, is, verdict, hint = "" }: Step): Finding[] {
  if (verdict === "well" || verdict === "unseen") return [];
  const severity = verdict === "wrong" ? "wrong" : "notice";
  return [{ severity, subject: `pod ${nameOf(pod)}, ${step}`, should, is, hint }];
}

const TONES: Readonly<Record<Step["verdict"], (text: string) => Cell>> = {
  well: good,
  wrong: bad,
  notice: warn,
  unseen: dim,
};

function sectionOf(pod: PodSnapshot, steps: readonly Step[]): Section {
  return {
    title: `${nameOf(pod)}, container ${pod.containerId}`,
    columns: ["step", "should", "is"].map((title) => ({ title })),
    rows: steps.map(({ step, should, is, verdict }) => [step, should, TONES[verdict](is)]),
  };
}
