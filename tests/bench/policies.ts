/** All that is measured of NetworkPolicy, in one lab. */
import type { Screen } from "../demo/screen.ts";
import { onInterrupt } from "../lab/on_interrupt.ts";
import { untilInForce } from "./policy_agent.ts";
import { type HandTable, loadByHand, makePod, readTable } from "./policy_by_hand.ts";
import { measureEvents, measureManyPeers, untilFate } from "./policy_events.ts";
import { createPolicyLab, type PolicyLab } from "./policy_lab.ts";
import { measurePolicyMemory } from "./policy_memory.ts";
import { type Pod, type ProbeTarget, startProbe } from "./policy_probe.ts";
import { measurePolicyRestarts } from "./policy_restarts.ts";
import { measureStarts } from "./policy_starts.ts";
import { measureThroughput } from "./policy_throughput.ts";
import { LOCAL_PODS, PEERS_EACH, talkPolicy, worldPolicies } from "./policy_world.ts";
import type { SampleBook } from "./statistics.ts";

const POLICIES = 1_000;
const FEW_POLICIES = 10;
/** The warm-up among them. */
const ROUNDS = 103;
const FEW_ROUNDS = 43;
const MANY_ROUNDS = 10;
const REPLACEMENTS = 5;
/** The last policy of the world that is for the probed pod lets these in. */
const LAST = (Math.ceil(POLICIES / LOCAL_PODS) - 1) * LOCAL_PODS * PEERS_EACH;

interface Bench {
  readonly book: SampleBook;
  readonly screen: Screen;
}

/** @param flock the executable */
export async function measurePolicies(flock: string, bench: Bench): Promise<void> {
  const policyLab = await bench.screen.step("10 000 pods, 110 of them on a node", () => createPolicyLab(flock));
  const interrupted = onInterrupt(() => policyLab[Symbol.asyncDispose]());
  try {
    await measureAll(policyLab, bench);
  } catch (error) {
    const log = await policyLab.node.readLog("agent");
    throw new Error(`Cannot measure policies: ${error}; the agent wrote ${log.slice(-2_000)}`, { cause: error });
  } finally {
    interrupted[Symbol.dispose]();
    await policyLab[Symbol.asyncDispose]();
  }
}

async function measureAll(policyLab: PolicyLab, { book, screen }: Bench): Promise<void> {
  const { lab, node, locals } = policyLab;
  const [probed] = locals;
  if (probed === undefined) throw new Error("Cannot measure policies: there are no pods");
  const { hostLink } = probed.sandbox;
  const aim = await startProbe(lab);
  const target = await aim({ node, hostLink, address: probed.sandbox.address(6) });
  await lab.api.fill(worldPolicies(0, FEW_POLICIES));
  await untilFate(target, { index: PEERS_EACH, passes: false });
  const few = { book, rounds: FEW_ROUNDS, suffix: "-10" };
  await screen.step("events with 10 policies", () => measureEvents({ policyLab, target }, few));
  await lab.api.fill(worldPolicies(FEW_POLICIES, POLICIES));
  await untilFate(target, { index: LAST, passes: true });
  const byHand = await screen.step("the same table by hand", () => copyTable(policyLab, { hostLink, aim, book }));
  const all = { book, rounds: ROUNDS, suffix: "" };
  await screen.step("events with 1000 policies", () => measureEvents({ policyLab, target, byHand }, all));
  const many = { book, rounds: MANY_ROUNDS };
  await screen.step("a policy with 10 000 peers", () => measureManyPeers({ policyLab, target }, many));
  await screen.step("pods that start closed", () => measureStarts(policyLab, book));
  await screen.step("20 restarts under load", () => measurePolicyRestarts({ policyLab, target }, book));
  await screen.step("TCP throughput", () => measureTalk(policyLab, book));
  await screen.step("memory with 10 000 and 50 000 pods", () => measurePolicyMemory(policyLab, book));
}

async function copyTable(
  policyLab: PolicyLab,
  { hostLink, aim, book }: {
    readonly hostLink: string;
    readonly aim: (pod: Pod) => Promise<ProbeTarget>;
    readonly book: SampleBook;
  },
): Promise<HandTable> {
  const pod = await makePod(policyLab, hostLink);
  const text = await readTable(policyLab);
  const byHand = await loadByHand(policyLab, { text, hostLink, target: await aim(pod) });
  for (let n = 0; n < REPLACEMENTS; n++) book.add("policy-load", await byHand.replace());
  return byHand;
}

/** Leaves the node without an agent. */
async function measureTalk(policyLab: PolicyLab, book: SampleBook): Promise<void> {
  const { lab, node } = policyLab;
  await node.stopAgent("SIGKILL");
  await lab.api.apply(talkPolicy());
  await untilInForce(node, () => node.startAgent());
  const table = await readTable(policyLab);
  await node.stopAgent("SIGKILL");
  await measureThroughput(policyLab, { table, book });
}
