import { contains, hostPrefix, parseAddress, parsePrefix, type Prefix } from "../../ip/address.ts";
import type { PoolSnapshot } from "../../snapshot/agent_snapshot.ts";
import { type Belief, beliefOf, nameOf } from "../belief.ts";
import { dim } from "../cells.ts";
import { agentFindings, poolFindings } from "../findings/agent_findings.ts";
import { poolSection } from "../pool_section.ts";
import type { Report } from "../report.ts";
import { type Gathered, seen } from "../sources.ts";
import { type Command, refuseWords } from "./command.ts";

/** Which addresses are whose, and how much of each pool is left. */
export const ipam: Command = {
  name: "ipam",
  parameters: "",
  summary: "pools, and whose each address is",
  refuse: refuseWords,
  needs: () => ["agent", "files", "recorded"],
  inspect: account,
};

interface Use {
  readonly address: string;
  readonly kind: "interface" | "anycast";
  /** The CIDR in force that holds it; absent: it was chosen by annotation, or is left over from a changed CIDR. */
  readonly pool?: string;
  readonly pod: string;
}

function account(gathered: Gathered, { now }: { now: number }): Report {
  const belief = beliefOf(gathered);
  const agent = seen(gathered.agent);
  const pools = agent?.pools ?? [];
  const cidrs = [...belief.nodeConfig?.cidr6 ?? [], ...belief.nodeConfig?.cidr4 ?? []];
  const uses = usesOf(belief, cidrs.flatMap((text) => parsePrefix(text) ?? []));
  const resting = seen(gathered.recorded)?.state?.state.resting ?? [];
  return {
    fields: {
      ...{ pools, addresses: uses },
      resting: resting.map(({ address, freedAt }) => ({ address, freedAt: new Date(freedAt).toISOString() })),
    },
    findings: [
      ...(agent === undefined ? agentFindings(gathered, { belief, now }) : []),
      ...poolFindings(pools),
      ...duplicateFindings(uses),
    ],
    sections: [
      pools.length > 0 ? poolSection(pools) : poolSection(countPools(cidrs, uses)),
      {
        title: "addresses",
        columns: ["address", "kind", "pool", "pod"].map((title) => ({ title })),
        rows: uses.map(({ address, kind, pool, pod }) => [address, kind, pool ?? dim("none"), pod]),
      },
    ],
    ...(belief.from === "nothing" ? { unseen: "neither agent nor files know of addresses" } : {}),
  };
}

function usesOf({ pods }: Belief, cidrs: readonly Prefix[]): Use[] {
  const uses = pods.flatMap((pod) => [
    ...pod.addresses.map((address) => ({ address, kind: "interface" as const, pod: nameOf(pod) })),
    ...pod.anycast.map(({ address }) => ({ address, kind: "anycast" as const, pod: nameOf(pod) })),
  ]);
  return uses.map((use) => {
    const address = parseAddress(use.address);
    const pool = address && cidrs.find((cidr) => contains(cidr, hostPrefix(address)));
    return { ...use, ...(pool === undefined ? {} : { pool: pool.text }) };
  }).sort((a, b) => a.address < b.address ? -1 : 1);
}

/** Without the agent: how many are usable is not counted here. */
function countPools(cidrs: readonly string[], uses: readonly Use[]): PoolSnapshot[] {
  return cidrs.map((cidr) => ({
    ...{ cidr, family: cidr.includes(":") ? 6 : 4, usable: "", resting: 0 },
    used: uses.filter(({ pool }) => pool === cidr).length,
  }));
}

function duplicateFindings(uses: readonly Use[]): Report["findings"] {
  const own = Map.groupBy(uses.filter(({ kind }) => kind === "interface"), ({ address }) => address);
  return [...own].filter(([, users]) => users.length > 1).map(([address, users]) => ({
    severity: "wrong",
    subject: `address ${address}`,
    should: "be one pod's",
    is: `it is ${users.map(({ pod }) => pod).join(" and ")}'s`,
    hint: "delete one of these pods",
  }));
}
