/** How each fault is inflicted, and how it ends. */
import { STATE_DIR } from "../../src/paths/paths.ts";
import type { SandboxStatus } from "../lab/cri.ts";
import type { LabNode } from "../lab/node.ts";
import { rerunFirewall } from "./checks/foreign.ts";
import type { Cluster, Member } from "./cluster.ts";
import { type FaultKind, FAULTS, type PlannedFault } from "./plan.ts";
import type { DaemonName } from "./soak_node.ts";

type End = () => Promise<void>;
type Fault = (cluster: Cluster, member: Member) => Promise<End>;

const FILLER = `${STATE_DIR}/filler`;
const KILL_EVERY_MS = 100;
const KILL_PLUGINS =
  'for f in $(grep -lsz "^CNI_COMMAND=" /proc/[0-9]*/environ); do f=${f#/proc/}; kill -9 ${f%/*}; done';
const NOTHING: End = () => Promise.resolve();

const INFLICT: Readonly<Record<Exclude<FaultKind, "containerdForgets">, Fault>> = {
  agentKill: (_, member) => restart(member, "agent", "SIGKILL"),
  agentStall: (_, member) => stall(member, "agent"),
  agentAway: (_, member) => restart(member, "agent", "SIGTERM"),
  birdKill: (_, member) => restart(member, "bird", "SIGKILL"),
  birdStall: (_, member) => stall(member, "bird"),
  containerdKill: (_, member) => restart(member, "containerd", "SIGKILL"),
  containerdStall: (_, member) => stall(member, "containerd"),
  apiRefuse: async ({ lab: { api } }) => {
    await api.faults.refuse();
    return api.faults.recover;
  },
  apiFreeze: async ({ lab: { api } }) => {
    await api.faults.freeze();
    return api.faults.recover;
  },
  apiCompact: async ({ lab: { api } }) => {
    await api.faults.compact();
    return NOTHING;
  },
  diskFull: async (_, { node: { lab: node }, book }) => {
    await node.exec(["dd", "if=/dev/zero", `of=${FILLER}`, "bs=1k"]);
    book.diskFull = true;
    return async () => {
      await node.output(["rm", "-f", FILLER]);
      book.diskFull = false;
    };
  },
  pluginKill: (_, { node: { lab: node } }) => {
    const timer = setInterval(() => void node.exec(["sh", "-c", KILL_PLUGINS]).catch(() => {}), KILL_EVERY_MS);
    return Promise.resolve(() => Promise.resolve(clearInterval(timer)));
  },
  nftFlush: async (_, { node: { lab: node } }) => {
    await rerunFirewall(node);
    return NOTHING;
  },
  routeFlush: async (_, { node: { lab: node } }) => {
    for (const family of ["-4", "-6"]) await node.exec(["ip", family, "route", "flush", "proto", "70"]);
    return NOTHING;
  },
  cablePull: async ({ lab: { router } }, { node: { lab: { name } } }) => {
    await router.output(["ip", "link", "set", `p-${name}`, "down"]);
    return async () => void await router.output(["ip", "link", "set", `p-${name}`, "up"]);
  },
  bgpReset: async ({ lab: { router } }) => {
    await router.vtysh("clear bgp *");
    return NOTHING;
  },
  bgpRestart: async (_, { node: { lab: node } }) => {
    const names = (await node.birdc("show protocols")).matchAll(/^(\S+)\s+BGP\s/gm);
    for (const [, name] of names) await node.birdc(`restart ${name}`);
    return NOTHING;
  },
};

/** Inflicts a fault for as long as it is planned. Resolves when its end has taken effect. */
export async function inflict(cluster: Cluster, { kind, node, forMs }: PlannedFault): Promise<void> {
  const member = cluster.member(node);
  if (kind === "containerdForgets") return await letContainerdForget(member, forMs);
  const end = await INFLICT[kind](cluster, member);
  await new Promise((resolve) => setTimeout(resolve, forMs));
  await end();
}

/** Whether packets may be lost while the fault lasts: routes are gone, or sent anew. */
export function disturbsRoutes({ kind }: Pick<PlannedFault, "kind">): boolean {
  const { target } = FAULTS[kind];
  return ["bird", "router", "kernel", "cable"].includes(target);
}

/** Whether a process dies without warning. */
export function isKill({ kind }: Pick<PlannedFault, "kind">): boolean {
  return kind.endsWith("Kill") || kind === "containerdForgets";
}

async function restart({ node }: Member, daemon: DaemonName, signal: Deno.Signal): Promise<End> {
  await node.end(daemon, signal);
  return () => node.start(daemon);
}

function stall({ node }: Member, daemon: DaemonName): Promise<End> {
  const thaw = node.freeze(daemon);
  return Promise.resolve(() => Promise.resolve(thaw()));
}

/** A sandbox dies with its network namespace, and containerd starts anew without any record of it (containerd#5768). */
async function letContainerdForget(member: Member, forMs: number): Promise<void> {
  const victim = member.victims[0];
  if (victim === undefined) return;
  const done = Promise.withResolvers<void>();
  member.kubelet.replace(victim.pod.uid, async (sandbox) => {
    try {
      await forget(member.node.lab, sandbox);
      member.book.lost(sandbox.id);
      const end = await restart(member, "containerd", "SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, forMs));
      await end();
    } finally {
      done.resolve();
    }
  });
  await done.promise;
}

async function forget(node: LabNode, { id, pid, netns }: SandboxStatus): Promise<void> {
  const ctr = "ctr --namespace k8s.io";
  const script = `kill -9 ${pid}; ip netns delete ${netns.replace(/^.*\//, "")}
    for try in 1 2 3 4 5; do ${ctr} task delete --force ${id} && break; sleep 0.1; done
    ${ctr} container delete ${id}`;
  await node.exec(["sh", "-c", script], { timeoutMs: 20_000 });
}
