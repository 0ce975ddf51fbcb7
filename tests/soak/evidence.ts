/** Whatever helps to understand a discrepancy of a node. */
import type { Member } from "./cluster.ts";
import type { Discrepancy } from "./report.ts";
import type { NodeSight } from "./sight.ts";

const LOG_LINES = 80;

export async function describeMember(
  { node: { lab: node, agentUpSince }, kubelet: { live }, book: { failures } }: Member,
  { wrong, sight }: { wrong: readonly string[]; sight?: NodeSight | undefined },
): Promise<Discrepancy> {
  const [agent, containerd, bird] = await Promise.all(
    ["agent", "containerd", "bird"].map(async (name) => (await node.readLog(name)).split("\n").slice(-LOG_LINES)),
  );
  const evidence = { node: node.name, live, agentUpSince, failures, seen: withoutBulk(sight), agent, containerd, bird };
  return { where: node.name, what: wrong, evidence };
}

/** Sysctls and the ruleset are thousands of lines, and what is wrong with them is said. */
function withoutBulk(sight: NodeSight | undefined): object | undefined {
  if (sight === undefined) return undefined;
  const { kernel: { sysctls: _, ruleset: __, ...kernel }, pods, foreign: ___, ...rest } = sight;
  return { ...rest, kernel, pods: Object.fromEntries(pods) };
}
