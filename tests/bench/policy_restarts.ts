/** What gets through, or is lost, that should not be, while the agent is restarted again and again. */
import { pause } from "../lab/until.ts";
import { untilInForce } from "./policy_agent.ts";
import type { PolicyLab } from "./policy_lab.ts";
import type { ProbeTarget } from "./policy_probe.ts";
import { addressesOf, PEERS_EACH } from "./policy_world.ts";
import type { SampleBook } from "./statistics.ts";

const RESTARTS = 20;
/** Between two restarts, in milliseconds. */
const AFTER_MS = 100;

/** Adds `policy-restart-lost`, `policy-restart-leaked`, and for each restart `policy-cold`. */
export async function measurePolicyRestarts(
  { policyLab, target }: { readonly policyLab: PolicyLab; readonly target: ProbeTarget },
  book: SampleBook,
): Promise<void> {
  const restarts = restart(policyLab, book);
  const [allowed, denied] = await Promise.all(
    [0, PEERS_EACH].map((index) => target.count(addressesOf(index)[6], () => restarts)),
  );
  if (allowed === undefined || denied === undefined || allowed.through === 0) {
    throw new Error("Cannot count what is lost: nothing comes through");
  }
  book.add("policy-restart-lost", allowed.lost);
  book.add("policy-restart-leaked", denied.through);
}

/** By turns as a roll-out does it, and as a crash. */
async function restart({ node }: PolicyLab, book: SampleBook): Promise<void> {
  for (let restarts = 0; restarts < RESTARTS; restarts++) {
    await node.stopAgent(restarts % 2 === 0 ? "SIGTERM" : "SIGKILL");
    book.add("policy-cold", await untilInForce(node, () => node.startAgent()));
    await pause(AFTER_MS);
  }
}
