/** Looks at everything in a quiet moment, gives it time to settle, and reports what stays wrong. */
import type { Cluster, Member } from "./cluster.ts";
import { familyOf, type LiveContainer } from "./checks/expectation.ts";
import { judgeRouter, readRouter } from "./checks/router.ts";
import { Trend } from "./checks/trend.ts";
import { describeMember } from "./evidence.ts";
import { judgeNode } from "./judge.ts";
import { asPrefix } from "./checks/routes.ts";
import { servedBy } from "./checks/services.ts";
import type { LivePod } from "./kubelet.ts";
import { LogJudge } from "./checks/logs.ts";
import { pingAll } from "./checks/ping.ts";
import { oweWhatNobodyNamed, settleOrphans } from "./orphans.ts";
import type { Report } from "./report.ts";
import { lookAtNode, type NodeSight, readState } from "./sight.ts";

/** How long kubelets may take to bring pods up and down once no fault lasts any more, in milliseconds. */
const KUBELET_MS = 120_000;
/** How long everything else may take: a watch's longest back-off, and a session's way back, in milliseconds. */
const SETTLE_MS = 45_000;
const LOOK_EVERY_MS = 500;
/** How long an ADD that nobody waits for any more may take, in milliseconds. */
const ORPHANS_MS = 10_000;

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
  readonly #logs = new LogJudge();
  readonly #trend = new Trend();
  #longestSettleMs = 0;

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
    for (const member of present) found += await this.#reap(member);
    const [nodes, router] = await this.#settle(present, options);
    for (const { member, wrong, sight } of nodes) {
      const all = [...wrong, ...this.#grown(member, sight)];
      if (all.length > 0) found += this.report.add(await describeMember(member, { wrong: all, sight }));
      this.report.forgetAllBut({ where: nameOf(member), what: all });
    }
    found += this.report.add({ where: "router", what: router, evidence: "as vtysh shows it" });
    this.report.forgetAllBut({ where: "router", what: router });
    const served = this.#judged(members, [...servicesOn(members).keys()]);
    found += await this.#ping([...members.flatMap(({ kubelet }) => addressesOf(kubelet.live)), ...served], "quiet");
    for (const member of members) found += this.report.add(await this.#logs.judge(member.node.lab));
    this.report.counts.checks++;
    return found;
  }

  /** Whatever happens to flock, packets reach pods that nothing happens to. @returns how many discrepancies were new */
  async checkSteady(): Promise<number> {
    return await this.#ping(this.cluster.members.flatMap(({ steady }) => addressesOf(steady)), "in the middle of it");
  }

  /**
   * For who wants to see more than the verdict: what processes took, check by check, and how long all took to be right
   * at most.
   */
  get figures(): Readonly<Record<string, unknown>> {
    return { uses: this.#trend.looks, longestSettleMs: this.#longestSettleMs };
  }

  /** Says whether an allocation waits for garbage collection. */
  async somethingIsOwed(): Promise<boolean> {
    const owed = await Promise.all(
      this.cluster.members.map(async ({ node: { lab, agentUpSince }, book: { debts } }) => {
        const { allocations } = await readState(lab);
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
        found += this.report.add(await describeMember(member, { wrong: ["pods neither come up nor go"] }));
      }
    }
    return found;
  }

  /** Counts and removes network namespaces that nobody knows. @returns how many discrepancies were new */
  async #reap(member: Member): Promise<number> {
    const wrong = await settleOrphans(member, {
      report: this.report,
      settleMs: Math.min(this.options.settleMs, ORPHANS_MS),
    });
    return wrong.length === 0 ? 0 : this.report.add(await describeMember(member, { wrong }));
  }

  #grown({ node }: Member, sight: NodeSight | undefined): string[] {
    if (sight === undefined) return [];
    const { agent, bird, children } = sight.processes;
    return [
      ...this.#trend.add(`agent ${node.pidOf("agent")}`, { ...agent, children: children.length }),
      ...this.#trend.add(`bird ${node.pidOf("bird")}`, { ...bird }),
    ];
  }

  /** Looks until nothing new is wrong or the time is over. What then was not wrong a look before is passing by. */
  async #settle(members: readonly Member[], options: CheckOptions): Promise<[NodeVerdict[], string[]]> {
    const start = Date.now();
    let before: readonly string[] | undefined;
    for (;;) {
      const lookedAt = Date.now();
      const nodes = await Promise.all(members.map((member) => this.#look(member, options)));
      const router = await this.#lookAtRouter();
      const calm = this.report.fresh({ where: "router", what: router }).length === 0 &&
        nodes.every(({ member, wrong }) => this.report.fresh({ where: nameOf(member), what: wrong }).length === 0);
      if (calm) this.#longestSettleMs = Math.max(this.#longestSettleMs, lookedAt - start);
      if (calm) return [nodes, router];
      if (before !== undefined && Date.now() > start + this.options.settleMs) {
        const lasting = ofShapes(before);
        return [nodes.map((node) => ({ ...node, wrong: node.wrong.filter(lasting) })), router.filter(lasting)];
      }
      before = [...nodes.flatMap(({ wrong }) => wrong), ...router];
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  async #look(member: Member, { apiAway, struck }: CheckOptions): Promise<NodeVerdict> {
    const { node, kubelet, book, index } = member;
    const missing = node.missing().map((daemon) => `${daemon} has ended by itself`);
    try {
      const live = kubelet.live.map(containerOf);
      const sight = await lookAtNode(node, { lab: this.cluster.lab, api: !apiAway, live });
      const { allocations } = sight.state;
      if (struck.has(index)) oweWhatNobodyNamed(member, { allocations });
      const owed = book.debts.unpaid(allocations, { agentUpSince: node.agentUpSince, now: Date.now() });
      const rest = this.cluster.members.filter((other) => other !== member);
      const beyond = { others: hopsOf(rest), elsewhere: servicesOn(rest) };
      const wrong = judgeNode(sight, { ...node.baseline, live, owed, prefixes: node.prefixes, ...beyond });
      return { member, sight, wrong: [...missing, ...this.#judged(this.cluster.members, wrong)] };
    } catch (error) {
      return { member, wrong: [...missing, `cannot be looked at: ${error}`] };
    }
  }

  /**
   * Of an address of whose pods one may be Ready or not, as long as the API server has not heard of it, nothing can be
   * said.
   */
  #judged(members: readonly Member[], lines: readonly string[]): string[] {
    const doubtful = members.flatMap(({ kubelet }) =>
      kubelet.live.flatMap(({ pod, ready }) => ready === undefined ? pod.anycast : [])
    );
    return lines.filter((line) => !doubtful.some((address) => line.includes(address)));
  }

  async #lookAtRouter(): Promise<string[]> {
    const { members, lab } = this.cluster;
    return await readRouter(lab.router).then(
      (sight) => this.#judged(members, judgeRouter(sight, pathsOf(members))),
      (error) => [`cannot be looked at: ${error}`],
    );
  }

  async #ping(addresses: readonly string[], when: string): Promise<number> {
    const silent = await pingAll(this.cluster.lab.client, addresses);
    const where = `pods, ${when}`;
    const what = silent.map((address) => `${address} does not answer the client, ${when}`);
    this.report.forgetAllBut({ where, what });
    if (silent.length === 0) return 0;
    const members = await Promise.all(this.cluster.members.map((member) => describeMember(member, { wrong: [] })));
    return this.report.add({ where, what, evidence: members.map(({ evidence }) => evidence) });
  }
}

/** @returns whether a line is like one of these: how many, or for how long, may have changed since */
function ofShapes(lines: readonly string[]): (line: string) => boolean {
  const shapeOf = (line: string): string => line.replaceAll(/\d+/g, "0");
  const shapes = new Set(lines.map(shapeOf));
  return (line) => shapes.has(shapeOf(line));
}

/** prefix -> address of its node */
function hopsOf(members: readonly Member[]): ReadonlyMap<string, string> {
  return new Map(
    members.flatMap(({ node: { prefixes, lab: { spec } } }) =>
      prefixes.map((prefix) => [prefix, spec.addresses[familyOf(prefix)] ?? ""] as const)
    ),
  );
}

/** anycast address -> addresses of the nodes that have a Ready pod of it */
function servicesOn(members: readonly Member[]): ReadonlyMap<string, readonly string[]> {
  const served = members.flatMap(({ kubelet, node: { lab: { spec } } }) =>
    [...servedBy(kubelet.live.map(containerOf)).keys()].map((address) => ({
      address,
      hop: spec.addresses[familyOf(address)] ?? "",
    }))
  );
  const byAddress = Map.groupBy(served, ({ address }) => address);
  return new Map([...byAddress].map(([address, each]) => [address, each.map(({ hop }) => hop)]));
}

/** prefix -> addresses of all nodes that routers must be led to for it */
function pathsOf(members: readonly Member[]): ReadonlyMap<string, readonly string[]> {
  return new Map([
    ...[...hopsOf(members)].map(([prefix, hop]) => [prefix, [hop]] as const),
    ...[...servicesOn(members)].map(([address, hops]) => [asPrefix(address), hops] as const),
  ]);
}

function containerOf({ pod, sandbox, ready }: LivePod): LiveContainer {
  const { anycast, namespace, name } = pod;
  return { ...sandbox, owner: `${namespace}/${name}`, anycast, ready };
}

function nameOf({ node }: Member): string {
  return node.lab.name;
}

function addressesOf(live: Member["kubelet"]["live"]): string[] {
  return live.flatMap(({ sandbox }) => sandbox.addresses);
}
