/** BIRD's sessions against the peers of the NodeConfig. Pure. */
import type { SessionState } from "../../bird/bird_driver.ts";
import type { Belief } from "../belief.ts";
import type { Finding } from "../report.ts";
import { type Gathered, type Look, seen, silenceOf } from "../sources.ts";

/** @param look at anything that BIRD tells. @returns that it is silent, if it is */
export function deadBirdFindings(look: Look<unknown> | undefined): Finding[] {
  const silence = silenceOf(look);
  return silence === undefined ? [] : [{
    severity: "wrong",
    subject: "BIRD",
    should: "answer",
    is: `it does not: ${silence}`,
    hint:
      "routers keep routes for a while, then drop this node: look at BIRD's container (crictl ps -a --name bird; crictl logs)",
  }];
}

/** @param gathered with `sessions` */
export function sessionFindings(gathered: Gathered, { nodeConfig }: Belief): Finding[] {
  const dead = deadBirdFindings(gathered.sessions);
  if (dead.length > 0) return dead;
  const sessions = seen(gathered.sessions);
  if (sessions === undefined || nodeConfig === undefined) return [];
  if (nodeConfig.peers.length === 0) {
    return [{
      ...{ severity: "notice", subject: "BGP", should: "", is: "the NodeConfig names no peer: nobody is told of pods" },
      hint: "spec.bgp.peers",
    }];
  }
  return nodeConfig.peers.flatMap((peer) => sessionFinding(peer, sessions));
}

function sessionFinding(
  { address, asn }: { address: string; asn: number },
  sessions: readonly SessionState[],
): Finding[] {
  const found = sessions.find(({ peer }) => peer.text === address);
  if (found?.established === true) return [];
  const base = { severity: "wrong", subject: `BGP session ${address}`, should: "be Established" } as const;
  if (found === undefined) {
    return [{
      ...base,
      is: "BIRD has no such session",
      hint: "BIRD may run with another configuration: is the agent up?",
    }];
  }
  const { state, since, lastError } = found;
  const is = `it is ${state}${since === undefined ? "" : ` since ${since}`}${lastError ? `: ${lastError}` : ""}`;
  return [{ ...base, is, hint: `is the router (AS ${asn}) up, and does it know this node as its neighbour?` }];
}
