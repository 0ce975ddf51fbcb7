/** What BIRD has to tell and tells, against what it should. Pure. */
import type { PeerSnapshot } from "../../snapshot/agent_snapshot.ts";
import { carries } from "../belief.ts";
import type { BgpRoutes } from "../read_bgp.ts";
import type { Finding } from "../report.ts";
import { type Gathered, seen } from "../sources.ts";

/** Prefixes that are named one by one. */
const MAX_NAMED = 5;

/** @param gathered with `agent` and `bgp`; what is missing of them is not judged */
export function originFindings(gathered: Gathered): Finding[] {
  const [agent, bgp] = [seen(gathered.agent), seen(gathered.bgp)];
  if (bgp === undefined) return [];
  return [
    ...(agent === undefined ? [] : originatedFindings(agent.advertised, bgp)),
    ...bgp.channels.flatMap(untold(bgp, agent?.nodeConfig.inForce?.peers ?? [])),
  ];
}

function originatedFindings(advertised: readonly string[], { originated }: BgpRoutes): Finding[] {
  const [should, is] = [new Set(advertised), new Set(originated)];
  const hint = "BIRD has another configuration than the agent wrote: flock inspect summary says whether it was refused";
  return [
    ...told([...should.difference(is)], { should: "originate", is: "it does not", hint }),
    ...told([...is.difference(should)], { should: "not originate", is: "it does", hint }),
  ];
}

function told(prefixes: readonly string[], { should, is, hint }: Pick<Finding, "should" | "is" | "hint">): Finding[] {
  if (prefixes.length === 0) return [];
  return [{ severity: "wrong", subject: "BIRD", should: `${should} ${listed(prefixes)}`, is, hint }];
}

/** Of a peer that nobody knows, its address says of which family it is told. @returns what a session that is up does not tell its peer */
function untold(
  { originated, exported }: BgpRoutes,
  peers: readonly PeerSnapshot[],
): (channel: BgpRoutes["channels"][number]) => Finding[] {
  return ({ peer, established }) => {
    const known = new Set(exported.get(peer.text));
    const configured = peers.find(({ address }) => address === peer.text) ?? { address: peer.text, asn: 0 };
    const own = originated.filter((prefix) => carries(configured, prefix));
    const missing = own.filter((prefix) => !known.has(prefix));
    if (!established || missing.length === 0) return [];
    return [{
      severity: "wrong",
      subject: `BGP session ${peer.text}`,
      should: `tell the router of ${listed(missing)}`,
      is: "BIRD's export leaves it out",
      hint: "BIRD may still be starting (graceful restart waits for the end of the router's routes): look again",
    }];
  };
}

/** @returns the first of them, and how many more there are */
export function listed(texts: readonly string[]): string {
  const more = texts.length - MAX_NAMED;
  return `${texts.slice(0, MAX_NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
