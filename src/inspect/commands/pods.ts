import type { PodSnapshot } from "../../snapshot/agent_snapshot.ts";
import { type Belief, beliefOf, nameOf } from "../belief.ts";
import { bad, dim, good, warn } from "../cells.ts";
import { agentFindings, ageOf } from "../findings/agent_findings.ts";
import { podFindings } from "../findings/drift_findings.ts";
import type { Cell, Finding, Report } from "../report.ts";
import { type Gathered, seen } from "../sources.ts";
import { type Command, refuseWords } from "./command.ts";

/** All pods of the node that have addresses, or are about to. */
export const pods: Command = {
  name: "pods",
  parameters: "",
  summary: "every pod: addresses, link, readiness, anycast",
  refuse: refuseWords,
  needs: () => ["agent", "files", "ends"],
  inspect: list,
};

const COLUMNS = [
  ...["pod", "ipv6", "ipv4", "state", "ready", "anycast", "age"].map((title) => ({ title })),
  ...["more addresses", "link", "mtu", "container", "last call"].map((title) => ({ title, wide: true })),
  { title: "kernel" },
];

function list(gathered: Gathered, { now }: { now: number }): Report {
  const belief = beliefOf(gathered);
  const sorted = belief.pods.toSorted((a, b) => nameOf(a) < nameOf(b) ? -1 : 1);
  const differences = podFindings(gathered, belief);
  const dead = seen(gathered.agent) === undefined ? agentFindings(gathered, { belief, now }) : [];
  return {
    fields: { pods: sorted },
    findings: [...dead, ...differences],
    sections: [{
      columns: COLUMNS,
      rows: sorted.map((pod) => rowOf(pod, { belief, differences, now, isSeen: seen(gathered.ends) !== undefined })),
      empty: "no pods",
    }],
    ...(belief.from === "nothing" ? { unseen: "neither agent nor files know of pods" } : {}),
  };
}

interface Around {
  readonly belief: Belief;
  readonly differences: readonly Finding[];
  readonly isSeen: boolean;
  readonly now: number;
}

function rowOf(pod: PodSnapshot, { belief, differences, isSeen, now }: Around): Cell[] {
  const { addresses, state, since, hostLink, mtu, containerId, lastRequestId } = pod;
  const [ipv6, ipv4] = [addresses.find((text) => text.includes(":")), addresses.find((text) => !text.includes(":"))];
  const own = differences.filter(({ subject }) => subject === `pod ${nameOf(pod)}`);
  return [
    ...[nameOf(pod), ipv6 ?? dim("-"), ipv4 ?? dim("-")],
    state === "committed" ? state : warn(state),
    readyCell(pod, belief),
    anycastCell(pod),
    ageOf(since, now),
    addresses.filter((text) => text !== ipv6 && text !== ipv4).join(","),
    ...[hostLink, `${mtu}`, containerId.slice(0, 12)],
    lastRequestId ?? dim("-"),
    !isSeen ? warn("?") : own.length === 0 ? good("ok") : bad(`${own.length} differences`),
  ];
}

/** What files say of readiness is of the last word of a dead agent, and of pods with anycast addresses only. */
function readyCell({ ready, terminating }: PodSnapshot, { from }: Belief): Cell {
  if (from !== "agent" || ready === undefined) return dim("?");
  if (terminating === true) return warn("leaving");
  return ready ? good("yes") : warn("no");
}

function anycastCell({ anycast }: PodSnapshot): Cell {
  if (anycast.length === 0) return dim("-");
  const told = anycast.filter(({ advertised }) => advertised).length;
  return told === anycast.length ? good(`${told}`) : warn(`${told} of ${anycast.length}`);
}
