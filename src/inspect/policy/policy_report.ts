/** NetworkPolicies of this node: what the kernel has, and what it should have. Pure. */
import { renderRule } from "../../trace/render_expression.ts";
import type { AgentSnapshot, PolicyProblemSnapshot } from "../../snapshot/agent_snapshot.ts";
import type { Cell, Column, Finding, Section } from "../report.ts";
import { explainRule, type Isolation, type KernelPolicies, type KernelPolicy } from "./isolation.ts";
import type { RuleText } from "./judge_flow.ts";

/** Link -> pods of that link, as they are called. */
export type PodNames = ReadonlyMap<string, string>;

/** A policy of which this node has pods. */
export interface PolicyRow {
  /** `namespace/name`. */
  readonly name: string;
  readonly directions: readonly KernelPolicy["direction"][];
  /** Of this node, that it isolates. */
  readonly pods: readonly string[];
  /** How many rules the kernel has of it. */
  readonly rules: number;
  /** `PolicyInvalid` or `PolicyQuarantined`, where it isolates and allows nothing because of that. */
  readonly problem?: string;
}

export function policyRows(
  isolations: readonly Isolation[],
  { pods, problems }: { pods: PodNames; problems: readonly PolicyProblemSnapshot[] },
): PolicyRow[] {
  const asked = isolations.flatMap(({ link, policies }) => policies.map((policy) => ({ link, policy })));
  const reasons = new Map(problems.map(({ namespace, name, reason }) => [`${namespace}/${name}`, reason]));
  return [...Map.groupBy(asked, ({ policy }) => policy.name)].sort(([a], [b]) => a < b ? -1 : 1).map(([name, each]) => {
    const chains = new Map(each.map(({ policy }) => [policy.chain, policy]));
    const problem = reasons.get(name);
    return {
      name,
      directions: [...new Set(each.map(({ policy }) => policy.direction))].sort(),
      pods: [...new Set(each.map(({ link }) => pods.get(link) ?? link))].sort(),
      rules: [...chains.values()].reduce((sum, { rules }) => sum + rules, 0),
      ...(problem === undefined ? {} : { problem }),
    };
  });
}

export function policySection(rows: readonly PolicyRow[]): Section {
  return {
    title: "policies that isolate pods of this node",
    columns: ["networkpolicy", "direction", "pods", "rules", "state"].map(titled),
    rows: rows.map(({ name, directions, pods, rules, problem }) => [
      ...[name, directions.join(","), `${pods.length}`, `${rules}`],
      stateOf(rules, problem),
    ]),
  };
}

function stateOf(rules: number, problem: string | undefined): Cell {
  if (problem !== undefined) return { text: `fails closed (${problem})`, tone: "bad" };
  return rules === 0 ? { text: "allows nothing", tone: "warn" } : { text: "in force", tone: "good" };
}

export function isolationSection(isolations: readonly Isolation[], pods: PodNames): Section {
  return {
    title: "isolated pods",
    columns: [...["pod", "direction", "dropped", "policies"].map(titled), { title: "link", wide: true }],
    rows: isolations.map(({ link, direction, policies, drops }) => [
      pods.get(link) ?? link,
      direction,
      drops.packets === 0 ? "0" : { text: `${drops.packets}`, tone: "warn" },
      policies.map(({ name }) => name).join(", "),
      link,
    ]),
  };
}

/** @returns the rules of a policy's chains as the kernel has them, and of the chains that those go to */
export function rulesOf({ ruleset, names }: KernelPolicies, chains: readonly string[]): RuleText[] {
  const led = new Set(chains);
  for (const name of led) {
    for (const { expressions } of ruleset.chains.get(name)?.rules ?? []) {
      for (const each of expressions) {
        if (each.kind === "verdict" && "chain" in each.verdict) led.add(each.verdict.chain);
      }
    }
  }
  return [...led].flatMap((chain) =>
    (ruleset.chains.get(chain)?.rules ?? []).map((rule) => ({
      ...{ chain, handle: rule.handle },
      text: explainRule(renderRule(rule), names),
    }))
  );
}

export function ruleSection(
  rules: readonly RuleText[],
  title = "rules (nft -a list table inet flock-policy)",
): Section {
  return {
    title,
    columns: ["handle", "chain", "rule"].map(titled),
    rows: rules.map(({ handle, chain, text }) => [`${handle}`, chain, text]),
  };
}

/** @returns where the kernel isolates other pods, or in other directions, than the agent says */
export function isolationFindings(
  isolations: readonly Isolation[],
  { agent, pods }: { agent: AgentSnapshot | undefined; pods: PodNames },
): Finding[] {
  if (agent === undefined || !agent.policy.inForce) return [];
  const is = new Set(isolations.map(({ link, direction }) => `${link} ${direction}`));
  const should = new Set(
    agent.policy.isolatedLinks.flatMap(({ link, directions }) => directions.map((each) => `${link} ${each}`)),
  );
  const differ = (ends: Iterable<string>, [should, is]: readonly [string, string]): Finding[] =>
    [...ends].map((end) => {
      const [link = "", direction] = end.split(" ");
      return {
        ...{ severity: "wrong", subject: `pod ${pods.get(link) ?? link}, ${direction}`, should, is },
        hint: "the agent puts this back within 2 s: look again; if it stays, the agent's log says why",
      };
    });
  return [
    ...differ(should.difference(is), ["be isolated by NetworkPolicy", "the kernel lets everything pass"]),
    ...differ(is.difference(should), ["be isolated by no NetworkPolicy", "the kernel isolates it"]),
  ];
}

export const TABLE_MISSING: Finding = {
  severity: "wrong",
  subject: "nft table inet flock-policy",
  should: "hold the NetworkPolicies",
  is: "it is missing: no NetworkPolicy is in force on this node",
  hint: "the agent puts it back within 2 s: look again; if it stays, see flock inspect summary",
};

function titled(title: string): Column {
  return { title };
}
