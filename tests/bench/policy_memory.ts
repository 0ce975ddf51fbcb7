/** What ten thousand pods of the cluster cost the agent, and what forty thousand more. */
import { forgetPeak, peakMiB, residentMiB } from "./agent_process.ts";
import { untilInForce } from "./policy_agent.ts";
import { CROWD, type PolicyLab } from "./policy_lab.ts";
import { crowdPods } from "./policy_world.ts";
import type { SampleBook } from "./statistics.ts";
import type { Daemon } from "../lab/process.ts";

const MORE = 40_000;
/** What the list left behind is gone by then, or never, in milliseconds. */
const REST_MS = 3_000;
const KIB = 1024;

/** Adds `policy-memory` in MiB, its peak `policy-memory-peak`, and `policy-memory-pod`, in KiB for each further pod. Nothing else is measured in the lab afterwards. */
export async function measurePolicyMemory(policyLab: PolicyLab, book: SampleBook): Promise<void> {
  const few = await measureAgent(policyLab);
  await policyLab.lab.api.fill(crowdPods(Array.from({ length: MORE }, (_, n) => ({ index: CROWD + n }))));
  const many = await measureAgent(policyLab);
  book.add("policy-memory", few.resident);
  book.add("policy-memory-peak", few.peak);
  book.add("policy-memory-50k", many.resident);
  book.add("policy-memory-pod", KIB * (many.resident - few.resident) / MORE);
}

/** Of an agent that has just listed everything. In MiB. */
async function measureAgent({ node }: PolicyLab): Promise<{ resident: number; peak: number }> {
  await node.stopAgent("SIGKILL");
  let agent: Daemon | undefined;
  await untilInForce(node, async () => {
    agent = await node.startAgent();
    await forgetPeak(agent);
    return agent;
  });
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  if (agent === undefined) throw new Error("Cannot look at the agent: it was never started");
  return { resident: await residentMiB(agent), peak: await peakMiB(agent) };
}
