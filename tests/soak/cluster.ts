/** The soak's nodes with their kubelets and pods. */
import { annotationsOf } from "../e2e/_service_pod.ts";
import { cgroupOf } from "../lab/census.ts";
import { record } from "../lab/json.ts";
import type { Lab } from "../lab/lab.ts";
import { podObject } from "../lab/pods.ts";
import { until } from "../lab/until.ts";
import { servicesOf } from "./checks/services.ts";
import { PodStatuses } from "./pod_status.ts";
import { NodeBook } from "./node_book.ts";
import { Kubelet, type LivePod, type Pod } from "./kubelet.ts";
import type { PlannedChurn } from "./plan.ts";
import type { Report } from "./report.ts";
import { type SoakNode, startSoakNode } from "./soak_node.ts";

/** Pods of each node that nothing happens to: whatever is done to flock, packets reach them. */
const STEADY = 2;
const BURST = 10;
/** More than this many pods of one node become fewer. */
const MOST_PODS = 25;
const NAMESPACE = "default";

/** A node, its kubelet, and what is known of it. */
export interface Member {
  readonly index: number;
  readonly node: SoakNode;
  readonly kubelet: Kubelet;
  readonly book: NodeBook;
  /** Live pods that something may happen to. */
  readonly victims: readonly LivePod[];
  readonly steady: readonly LivePod[];
}

export class Cluster {
  #names = 0;
  // Stopped, to be removed in the next round.
  #stopped: { readonly member: Member; readonly pod: Pod }[] = [];

  private constructor(readonly lab: Lab, readonly members: readonly Member[], private readonly report: Report) {}

  /** Starts every node of the lab, and its steady pods. */
  static async start(lab: Lab, report: Report): Promise<Cluster> {
    const members = await Promise.all(lab.nodes.map(async (node, index) => {
      const soakNode = await startSoakNode(lab, { node, index });
      return createMember(soakNode, { index, lab, report });
    }));
    const cluster = new Cluster(lab, members, report);
    for (const member of members) {
      for (let n = 0; n < STEADY; n++) await cluster.#create(member, `steady-${member.index}-${n}`);
    }
    await Promise.all(members.map(({ kubelet }) => kubelet.settled()));
    return cluster;
  }

  /** @throws when there is no such node */
  member(index: number): Member {
    const member = this.members[index];
    if (member === undefined) throw new Error(`Cannot find node ${index}: there are ${this.members.length}`);
    return member;
  }

  /** Lets one thing happen to pods. Resolves when kubelet knows; what needs the API server waits for it. */
  async churn({ kind, node, victim }: PlannedChurn): Promise<void> {
    const member = this.member(node);
    const chosen = member.victims[Math.floor(victim * member.victims.length)]?.pod;
    const full = member.victims.length > MOST_PODS;
    if (kind === "flip") return flip(member, victim);
    // The one change for which there need be no API server: it must not become another one.
    if (kind === "crash") return chosen && member.kubelet.replace(chosen.uid, ({ pid }) => kill(member, pid));
    if (chosen === undefined || (!full && kind === "create")) return await this.#create(member);
    if (full || kind === "delete") return await this.#delete(member, chosen);
    switch (kind) {
      case "recreate":
        return await this.#recreate(member, chosen);
      case "burst":
        return void await Promise.all(Array.from({ length: BURST }, () => this.#create(member)));
      case "stop":
        this.#stopped.push({ member, pod: chosen });
        return void member.kubelet.stop(chosen.uid);
    }
  }

  /** Removes what was only stopped before, but on nodes that are away. */
  async removeStopped(away: ReadonlySet<number> = new Set()): Promise<void> {
    const stopped = this.#stopped.filter(({ member }) => !away.has(member.index));
    this.#stopped = this.#stopped.filter((one) => !stopped.includes(one));
    await Promise.all(stopped.map(({ member, pod }) => this.#delete(member, pod)));
  }

  /** Deletes every pod. */
  async drain(): Promise<void> {
    await this.removeStopped();
    await Promise.all(
      this.members.flatMap((member) => member.kubelet.live.map(({ pod }) => this.#delete(member, pod))),
    );
  }

  async #create(member: Member, name = `pod-${++this.#names}`): Promise<void> {
    const anycast = servicesOf(name);
    const annotations = annotationsOf({ name, anycast });
    const object = podObject({ name, namespace: NAMESPACE, annotations, nodeName: member.node.lab.name });
    const created = await patiently(`the API server takes pod ${name}`, () => this.lab.api.apply(object));
    this.report.counts.pods++;
    member.kubelet.run({ name, namespace: NAMESPACE, uid: String(record(created["metadata"])["uid"]), anycast });
  }

  /** Kubelet first, as with a grace period. */
  async #delete(member: Member, pod: Pod): Promise<void> {
    await member.kubelet.end(pod.uid);
    await this.#deleteObject(pod);
  }

  /** As after a forced deletion: nobody waits for the old sandbox to go. */
  async #recreate(member: Member, pod: Pod): Promise<void> {
    const ended = member.kubelet.end(pod.uid);
    await this.#deleteObject(pod);
    await this.#create(member, pod.name);
    await ended;
  }

  async #deleteObject({ namespace, name }: Pod): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    await patiently(`the API server deletes pod ${name}`, () => this.lab.api.delete(path).then(() => true));
  }
}

function createMember(
  node: SoakNode,
  { index, lab, report }: { index: number; lab: Lab; report: Report },
): Member {
  const book = new NodeBook((wrong) =>
    report.add({ where: node.lab.name, what: [wrong], evidence: "as pods were told" })
  );
  const cgroupParent = `${cgroupOf(lab.id)}/${node.lab.name}`;
  const statuses = new PodStatuses(lab.api);
  const kubelet = new Kubelet({ cri: () => node.cri, cgroupParent, events: book, statuses });
  const isSteady = ({ pod }: LivePod): boolean => pod.name.startsWith("steady-");
  return {
    ...{ index, node, kubelet, book },
    get victims(): readonly LivePod[] {
      return kubelet.live.filter((live) => !isSteady(live));
    },
    get steady(): readonly LivePod[] {
      return kubelet.live.filter(isSteady);
    },
  };
}

/** Of those whose readiness routers hear of. */
function flip({ victims, kubelet }: Member, victim: number): void {
  const serving = victims.filter(({ pod }) => pod.anycast.length > 0);
  const chosen = serving[Math.floor(victim * serving.length)];
  if (chosen !== undefined) kubelet.flip(chosen.pod.uid);
}

async function kill({ node }: Member, pid: number): Promise<void> {
  await node.lab.exec(["kill", "-9", `${pid}`]);
}

/** What the API server refuses now it will take later. */
async function patiently<T>(what: string, ask: () => Promise<T>): Promise<T> {
  return await until(what, ask, { timeoutMs: 60_000, everyMs: 250 });
}
