/** Looks at everything in a quiet moment, gives it time to settle, and reports what stays wrong. */
import type { Place } from "../lab/place.ts";
import type { Cluster, Member } from "./cluster.ts";
import { judgeNode, judgeRouter } from "./judge.ts";
import { oweWhatNobodyNamed, reapLeakedNamespaces } from "./orphans.ts";
import type { Report } from "./report.ts";
import { lookAtNode, lookAtRouter, type NodeSight, readAllocations } from "./sight.ts";

/** How long kubelets may take to bring pods up and down once no fault lasts any more, in milliseconds. */
const KUBELET_MS = 120_000;
/** How long everything else may take: a watch's longest back-off, and a session's way back, in milliseconds. */
const SETTLE_MS = 45_000;
const LOOK_EVERY_MS = 500;
const LOG_LINES = 80;

export interface CheckOptions {
  readonly apiAway: boolean;
  /** Indices of nodes whose agent does not answer. */
  readonly away: ReadonlySet<number>;
  /** Indices of nodes where attempts may have failed for a reason. */
  readonly struck: ReadonlySet<number>;
}

interface NodeVerdict {
  readonly member: Member;
  readonly wrong: readonly string[];
  readonly sight?: NodeSight;
}

export class Checker {
  // node -> characters of the agent's log that were read
  readonly #logRead = new Map<number, number>();

  /** @param options.settleMs how long what is wrong may take to become right */
  constructor(
    private readonly cluster: Cluster,
    private readonly report: Report,
    private readonly options: { readonly settleMs: number } = { settleMs: SETTLE_MS },
  ) {}

  /** One check of all. @returns how many discrepancies were new */
  async check(options: CheckOptions): Promise<number> {
    const { members } = this.cluster;
    const present = members.filter(({ index }) => !options.away.has(index));
    let found = await this.#awaitKubelets(present);
    for (const member of present) await reapLeakedNamespaces(member);
    const [nodes, router] = await this.#settle(present, options);
    for (const { member, wrong, sight } of nodes) {
      if (wrong.length > 0) found += this.report.add(await this.#describe(member, { wrong, sight }));
    }
    found += this.report.add({ where: "router", what: router, evidence: "as vtysh shows it" });
    found += await this.#ping(members.flatMap(({ kubelet }) => addressesOf(kubelet.live)), "quiet");
    for (const member of members) found += await this.#readLog(member);
    this.report.counts.checks++;
    return found;
  }

  /** Whatever happens to flock, packets reach pods that nothing happens to. @returns how many discrepancies were new */
  async checkSteady(): Promise<number> {
    return await this.#ping(this.cluster.members.flatMap(({ steady }) => addressesOf(steady)), "in the middle of it");
  }

  /** Says whether an allocation waits for garbage collection. */
  async somethingIsOwed(): Promise<boolean> {
    const owed = await Promise.all(
      this.cluster.members.map(async ({ node: { lab, agentUpSince }, book: { debts } }) => {
        const allocations = await readAllocations(lab);
        return debts.unpaid(allocations, { agentUpSince, now: Date.now() }).size > 0;
      }),
    );
    return owed.includes(true);
  }

  async #awaitKubelets(members: readonly Member[]): Promise<number> {
    let found = 0;
    for (const member of members) {
      const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(true), KUBELET_MS));
      if (await Promise.race([member.kubelet.settled().then(() => false), late])) {
        found += this.report.add(await this.#describe(member, { wrong: ["pods neither come up nor go"] }));
      }
    }
    return found;
  }

  /** Looks until nothing new is wrong or the time is over. */
  async #settle(members: readonly Member[], options: CheckOptions): Promise<[NodeVerdict[], string[]]> {
    const deadline = Date.now() + this.options.settleMs;
    for (;;) {
      const nodes = await Promise.all(members.map((member) => this.#look(member, options)));
      const router = await this.#lookAtRouter();
      const calm = this.report.fresh({ where: "router", what: router }).length === 0 &&
        nodes.every(({ member, wrong }) => this.report.fresh({ where: nameOf(member), what: wrong }).length === 0);
      if (calm || Date.now() > deadline) return [nodes, router];
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  async #look(member: Member, { apiAway, struck }: CheckOptions): Promise<NodeVerdict> {
    const { node, kubelet, book, index } = member;
    const missing = node.missing().map((daemon) => `${daemon} has ended by itself`);
    try {
      const sight = await lookAtNode(node, { lab: this.cluster.lab, api: !apiAway });
      if (struck.has(index)) oweWhatNobodyNamed(member, sight);
      const owed = book.debts.unpaid(sight.allocations, { agentUpSince: node.agentUpSince, now: Date.now() });
      const others = this.cluster.members.filter((other) => other !== member);
      const wrong = judgeNode(sight, {
        live: kubelet.live.map(({ sandbox }) => sandbox),
        owed,
        prefixes: node.prefixes,
        otherPrefixes: others.flatMap((other) => other.node.prefixes),
      });
      return { member, sight, wrong: [...missing, ...wrong] };
    } catch (error) {
      return { member, wrong: [...missing, `cannot be looked at: ${error}`] };
    }
  }

  async #lookAtRouter(): Promise<string[]> {
    const expected = this.cluster.members.flatMap(({ node }) =>
      node.prefixes.map((prefix): [string, string] => [
        prefix,
        node.lab.spec.addresses[prefix.includes(":") ? 6 : 4] ?? "",
      ])
    );
    return await lookAtRouter(this.cluster.lab).then(
      (actual) => judgeRouter(actual, new Map(expected)),
      (error) => [`cannot be looked at: ${error}`],
    );
  }

  async #ping(addresses: readonly string[], when: string): Promise<number> {
    const silent = await pingAll(this.cluster.lab.client, addresses);
    if (silent.length === 0) return 0;
    const members = await Promise.all(this.cluster.members.map((member) => this.#describe(member, { wrong: [] })));
    const what = silent.map((address) => `${address} does not answer the client, ${when}`);
    return this.report.add({ where: "pods", what, evidence: members.map(({ evidence }) => evidence) });
  }

  /** An answer that nobody foresaw, or an end with a stack trace, is a fault of flock's whatever came of it. */
  async #readLog(member: Member): Promise<number> {
    const { index, node: { lab: node } } = member;
    const log = await node.readLog("agent");
    const lines = log.slice(this.#logRead.get(index) ?? 0).split("\n").slice(0, -1);
    this.#logRead.set(index, log.lastIndexOf("\n") + 1);
    const wrong = lines.filter((line) => !line.startsWith("{") || line.includes('"message":"request failed"'));
    if (wrong.length === 0) return 0;
    return this.report.add({
      where: node.name,
      what: wrong.map((line) => `agent's log: ${line}`),
      evidence: "its log",
    });
  }

  async #describe(
    { node: { lab: node, agentUpSince }, kubelet, book }: Member,
    { wrong, sight }: { wrong: readonly string[]; sight?: NodeSight | undefined },
  ): Promise<Parameters<Report["add"]>[0]> {
    const [agent, containerd, bird] = await Promise.all(
      ["agent", "containerd", "bird"].map(async (name) => (await node.readLog(name)).split("\n").slice(-LOG_LINES)),
    );
    const { live } = kubelet;
    const evidence = { node: node.name, live, agentUpSince, failures: book.failures, sight, agent, containerd, bird };
    return { where: node.name, what: wrong, evidence };
  }
}

function nameOf({ node }: Member): string {
  return node.lab.name;
}

function addressesOf(live: Member["kubelet"]["live"]): string[] {
  return live.flatMap(({ sandbox }) => sandbox.addresses);
}

const PING_SCRIPT = 'for a in "$@"; do (ping -n -c 3 -i 0.3 -W 2 "$a" >/dev/null || echo "$a") & done; wait';

/** @returns those that answer none of three echo requests */
async function pingAll(from: Place, addresses: readonly string[]): Promise<string[]> {
  const output = await from.output(["sh", "-c", PING_SCRIPT, "sh", ...addresses], { timeoutMs: 30_000 });
  return output.split("\n").filter((address) => address !== "");
}
