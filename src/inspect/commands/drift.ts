import { beliefOf } from "../belief.ts";
import { bad, good } from "../cells.ts";
import { agentFindings } from "../findings/agent_findings.ts";
import { driftFindings } from "../findings/drift_findings.ts";
import { guardFindings } from "../findings/guard_findings.ts";
import type { Report } from "../report.ts";
import { type Gathered, seen } from "../sources.ts";
import { type Command, refuseWords } from "./command.ts";

/** Every difference between what the kernel should have of flock and what it has. */
export const drift: Command = {
  name: "drift",
  parameters: "",
  summary: "every difference between what the kernel should have and what it has",
  refuse: refuseWords,
  needs: () => ["agent", "files", "ends", "routes", "anycast", "tables", "guard", "isolation"],
  inspect: compare,
};

function compare(gathered: Gathered, { now }: { now: number }): Report {
  const belief = beliefOf(gathered);
  // What nft cannot list because it is not there, is missing; nobody was kept from looking.
  const differences = [...driftFindings(gathered, belief), ...guardFindings(gathered, belief)];
  const dead = seen(gathered.agent) === undefined ? agentFindings(gathered, { belief, now }) : [];
  const repairs = seen(gathered.agent)?.repairs ?? [];
  return {
    fields: { differences: differences.length, repairs },
    findings: [...dead, ...differences],
    sections: [
      {
        title: `looked at, by the word of ${belief.from === "agent" ? "the agent" : belief.from}`,
        columns: [{ title: "what" }, { title: "number" }],
        rows: [
          ["pods", `${belief.pods.length}`],
          ["links of flock's name", `${seen(gathered.ends)?.size ?? "?"}`],
          ["routes of protocol 70", `${seen(gathered.routes)?.length ?? "?"}`],
          ["routes to anycast addresses", `${seen(gathered.anycast)?.routes.length ?? "?"}`],
          ["differences", differences.length === 0 ? good("0") : bad(`${differences.length}`)],
        ],
      },
      {
        title: "put back since the agent's start, the last first",
        columns: [{ title: "when" }, { title: "what" }],
        rows: repairs.toReversed().map(({ at, what }) => [at, what]),
      },
    ],
    ...(belief.from === "nothing" ? { unseen: "neither agent nor files say what should be" } : {}),
  };
}
