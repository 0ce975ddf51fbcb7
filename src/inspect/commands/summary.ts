import type { AgentSnapshot } from "../../snapshot/agent_snapshot.ts";
import { type Belief, beliefOf } from "../belief.ts";
import { bad, good, warn } from "../cells.ts";
import { agentFindings, ageOf } from "../findings/agent_findings.ts";
import { driftFindings } from "../findings/drift_findings.ts";
import { sessionFindings } from "../findings/session_findings.ts";
import { poolSection } from "../pool_section.ts";
import type { Cell, Fields, Finding, Report } from "../report.ts";
import { type Gathered, seen, silenceOf } from "../sources.ts";
import { type Command, refuseWords } from "./command.ts";

/** Differences in the kernel that the summary names; `drift` names all. */
const MAX_DRIFT = 10;

/** What the node is, on one screen, and everything that is wrong with it. */
export const summary: Command = {
  name: "summary",
  parameters: "",
  summary: "the node on one screen, and what is wrong with it (the default)",
  refuse: refuseWords,
  needs: () => ["agent", "files", "ends", "routes", "anycast", "tables", "sessions"],
  inspect: (gathered, { now }) => summarize(gathered, now),
};

function summarize(gathered: Gathered, now: number): Report {
  const belief = beliefOf(gathered);
  const drift = driftFindings(gathered, belief);
  const findings = [
    ...agentFindings(gathered, { belief, now }),
    ...sessionFindings(gathered, belief),
    ...shorten(drift),
  ];
  const facts = factsOf(gathered, { belief, drift, now });
  const agent = seen(gathered.agent);
  return {
    fields: fieldsOf(gathered, { belief, drift }),
    findings: findings.toSorted((a, b) => rank(a) - rank(b)),
    sections: [
      { columns: [{ title: "part" }, { title: "state" }, { title: "" }], rows: facts },
      ...(agent === undefined ? [] : [poolSection(agent.pools)]),
    ],
  };
}

function rank({ severity }: Finding): number {
  return severity === "wrong" ? 0 : 1;
}

function shorten(drift: readonly Finding[]): Finding[] {
  const more = drift.length - MAX_DRIFT;
  if (more <= 0) return [...drift];
  const is = `${more} more differences between what should be and what is`;
  const rest: Finding = {
    severity: "wrong",
    subject: "kernel",
    should: "",
    is,
    hint: "flock inspect drift names them",
  };
  return [...drift.slice(0, MAX_DRIFT), rest];
}

type Facts = { readonly belief: Belief; readonly drift: readonly Finding[]; readonly now: number };

function factsOf(gathered: Gathered, { belief, drift, now }: Facts): Cell[][] {
  const agent = seen(gathered.agent);
  return [
    ["node", belief.node ?? "unknown", ""],
    agentRow(gathered, now),
    ...(agent === undefined ? [] : agentRows(agent)),
    sessionRow(gathered, belief),
    podRow(belief),
    kernelRow(gathered, { belief, drift }),
  ];
}

function agentRow(gathered: Gathered, now: number): Cell[] {
  const agent = seen(gathered.agent);
  if (agent === undefined) return ["agent", bad("no answer"), ""];
  return ["agent", good("serving"), `flock ${agent.agentVersion}, up for ${ageOf(agent.startedAt, now)}`];
}

function agentRows({ nodeConfig, watches, policy, advertised, pods }: AgentSnapshot): Cell[][] {
  const { reason, inForce } = nodeConfig;
  const ages = watches.map(({ ageS }) => ageS ?? Infinity);
  const isHeard = watches.every(({ synced, lastError }) => synced && lastError === undefined);
  const oldest = Math.max(...ages);
  const addresses = new Map(pods.flatMap(({ anycast }) => anycast).map((each) => [each.address, false]));
  for (const { address, advertised } of pods.flatMap(({ anycast }) => anycast)) {
    if (advertised) addresses.set(address, true);
  }
  const told = [...addresses.values()].filter((each) => each).length;
  return [
    [
      "nodeconfig",
      reason === "Accepted" ? good(reason) : bad(reason),
      inForce === undefined ? "none is in force" : `generation ${inForce.generation} is in force`,
    ],
    [
      "api server",
      isHeard ? good("followed") : bad("not heard"),
      oldest === Infinity ? "" : `last heard ${Math.round(oldest)} s ago`,
    ],
    ["advertised", `${advertised.length}`, "prefixes"],
    ["anycast", `${told} of ${addresses.size}`, "addresses advertised"],
    [
      "policies",
      policy.inForce && policy.problems.length === 0 ? good("in force") : bad("not all in force"),
      `${policy.policies} in the cluster, ${policy.isolatedLinks.length} pods isolated here`,
    ],
  ];
}

function sessionRow(gathered: Gathered, { nodeConfig }: Belief): Cell[] {
  if (silenceOf(gathered.sessions) !== undefined) return ["bgp", bad("no BIRD"), ""];
  const sessions = seen(gathered.sessions);
  if (sessions === undefined) return ["bgp", warn("unknown"), ""];
  const peers = nodeConfig?.peers.map(({ address }) => address) ?? sessions.map(({ peer }) => peer.text);
  const up = sessions.filter(({ established, peer }) => established && peers.includes(peer.text)).length;
  const text = `${up} of ${peers.length}`;
  return ["bgp", up === peers.length ? good(text) : bad(text), "sessions established"];
}

function podRow({ pods }: Belief): Cell[] {
  const pending = pods.filter(({ state }) => state === "pending").length;
  return ["pods", `${pods.length - pending}`, pending === 0 ? "" : `${pending} being added`];
}

function kernelRow(gathered: Gathered, { belief, drift }: Pick<Facts, "belief" | "drift">): Cell[] {
  if (belief.from === "nothing") return ["kernel", warn("unknown"), "nobody says what should be"];
  const wrong = drift.filter(({ severity }) => severity === "wrong").length;
  if (wrong > 0) return ["kernel", bad("differs"), `${wrong} differences`];
  const isSeen = [gathered.ends, gathered.routes, gathered.anycast, gathered.tables].every((look) =>
    seen<unknown>(look)
  );
  return ["kernel", isSeen ? good("as it should be") : warn("not all seen"), ""];
}

function fieldsOf(
  gathered: Gathered,
  { belief, drift }: { belief: Belief; drift: readonly Finding[] },
): Fields {
  const agent = seen(gathered.agent);
  const sessions = seen(gathered.sessions);
  return {
    ...(agent === undefined ? {} : {
      agent: { version: agent.agentVersion, startedAt: agent.startedAt },
      nodeConfig: agent.nodeConfig,
      conditions: agent.conditions,
      watches: agent.watches,
      pools: agent.pools,
      advertised: agent.advertised,
      policy: agent.policy,
    }),
    ...(sessions === undefined
      ? {}
      : { sessions: sessions.map(({ peer, ...rest }) => ({ peer: peer.text, ...rest })) }),
    pods: {
      committed: belief.pods.filter(({ state }) => state === "committed").length,
      pending: belief.pods.filter(({ state }) => state === "pending").length,
    },
    differences: drift.length,
  };
}
