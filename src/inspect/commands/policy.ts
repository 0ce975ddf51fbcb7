import { chainName } from "../../policy/names.ts";
import { DIRECTIONS } from "../../policy/network_policy.ts";
import type { AgentSnapshot } from "../../snapshot/agent_snapshot.ts";
import { beliefOf, nameOf } from "../belief.ts";
import { deadAgentFindings, policyFindings } from "../findings/agent_findings.ts";
import { type Isolation, isolationsIn, type KernelPolicies } from "../policy/isolation.ts";
import {
  isolationFindings,
  isolationSection,
  type PodNames,
  policyRows,
  policySection,
  ruleSection,
  rulesOf,
  TABLE_MISSING,
} from "../policy/policy_report.ts";
import type { Finding, Report } from "../report.ts";
import { type Gathered, seen } from "../sources.ts";
import type { Command } from "./command.ts";

/** NetworkPolicies as the kernel has them; of one: its rules and its pods. */
export const policy: Command = {
  name: "policy",
  parameters: "[NS/NAME]",
  summary: "NetworkPolicies in force here, whom they isolate, what was dropped; of one: its rules",
  refuse: (words) =>
    words.length > 1 || words.some((word) => !/^[^/]+\/[^/]+$/.test(word)) ? "it takes NS/NAME" : undefined,
  needs: () => ["agent", "files", "policies"],
  inspect: (gathered, { words: [name] }) => inspectPolicies(gathered, name),
};

function inspectPolicies(gathered: Gathered, name: string | undefined): Report {
  const belief = beliefOf(gathered);
  const agent = seen(gathered.agent);
  const kernel = seen(gathered.policies);
  const pods: PodNames = new Map(belief.pods.map((pod) => [pod.hostLink, nameOf(pod)]));
  const general = [...deadAgentFindings(gathered, belief), ...(agent === undefined ? [] : policyFindings(agent))];
  const found = { agent, pods, general };
  if (kernel === undefined) return { fields: {}, findings: general, sections: [] };
  if (kernel.ruleset === undefined) {
    return { fields: { table: "missing" }, findings: [TABLE_MISSING, ...general], sections: [] };
  }
  const there = { ruleset: kernel.ruleset, names: kernel.names };
  return name === undefined ? reportAll(there, found) : reportOne(there, { ...found, name });
}

interface Found {
  readonly agent: AgentSnapshot | undefined;
  readonly pods: PodNames;
  readonly general: readonly Finding[];
}

function reportAll(kernel: KernelPolicies, { agent, pods, general }: Found): Report {
  const isolations = isolationsIn(kernel);
  const rows = policyRows(isolations, { pods, problems: agent?.policy.problems ?? [] });
  return {
    fields: { table: "present", policies: rows, isolated: isolations.map((each) => isolatedOf(each, pods)) },
    findings: [...isolationFindings(isolations, { agent, pods }), ...general],
    sections: [policySection(rows), isolationSection(isolations, pods)],
  };
}

function reportOne(kernel: KernelPolicies, { agent, pods, general, name }: Found & { name: string }): Report {
  const isolations = isolationsIn(kernel).filter(({ policies }) => policies.some((each) => each.name === name));
  const [row] = policyRows(isolations, { pods, problems: agent?.policy.problems ?? [] }).filter((each) =>
    each.name === name
  );
  const rules = rulesOf(kernel, DIRECTIONS.map((direction) => chainName(name, direction)));
  const own = general.filter(({ subject }) => !subject.startsWith("NetworkPolicy ") || subject.endsWith(` ${name}`));
  return {
    fields: { table: "present", policy: row, isolated: isolations.map((each) => isolatedOf(each, pods)), rules },
    findings: own,
    sections: [policySection(row === undefined ? [] : [row]), isolationSection(isolations, pods), ruleSection(rules)],
    ...(row === undefined &&
      { unseen: `${name} isolates no pod of this node: it selects none here, or does not exist` }),
  };
}

function isolatedOf({ link, direction, policies, drops }: Isolation, pods: PodNames): Record<string, unknown> {
  return { pod: pods.get(link) ?? null, link, direction, policies: policies.map(({ name }) => name), dropped: drops };
}
