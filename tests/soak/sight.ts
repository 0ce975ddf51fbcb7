/** What there is on a node and at the router, read at one moment. Lists are sorted, so that two of them compare. */
import { STATE_DIR, TOMBSTONE_DIR } from "../../src/paths/paths.ts";
import { allocationsOf, configPath, kernelOf, type KernelView } from "../e2e/_cluster.ts";
import { record, records } from "../lab/json.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import type { SoakNode } from "./soak_node.ts";

export interface SeenAllocation {
  readonly containerId: string;
  readonly podUid: string;
  readonly netns: string;
  readonly state: string;
  readonly addresses: readonly string[];
  /** Wall clock, milliseconds. */
  readonly createdAt: number;
}

/** The agent's process, and those of the plugin. */
export interface ProcessView {
  readonly fds: number;
  readonly children: number;
  readonly zombies: number;
  readonly residentMiB: number;
  /** Plugins that run while nobody calls one. */
  readonly plugins: number;
}

export interface NodeSight {
  readonly kernel: KernelView;
  /** `address link MAC` of the permanent neighbours on links to pods. */
  readonly neighbours: readonly string[];
  readonly blackholes: readonly string[];
  readonly allocations: readonly SeenAllocation[];
  /** Deletions that an agent has yet to obey. */
  readonly tombstones: readonly string[];
  readonly stateFiles: readonly string[];
  /** Ids of what containerd calls ready. */
  readonly sandboxes: readonly string[];
  /** `protocol state`, of BGP sessions in BIRD. */
  readonly sessions: readonly string[];
  /** Prefixes that BIRD put in the kernel. */
  readonly learned: readonly string[];
  /** What `status` of the NodeConfig says it advertises, and its conditions as `type=status`; absent: nobody can ask. */
  readonly status?: { readonly advertised: readonly string[]; readonly conditions: readonly string[] };
  readonly processes: ProcessView;
}

/** @param options.api false: the API server cannot be asked */
export async function lookAtNode(soakNode: SoakNode, { lab, api }: { lab: Lab; api: boolean }): Promise<NodeSight> {
  const { lab: node, cri } = soakNode;
  const [kernel, allocations, ...rest] = await Promise.all([
    kernelOf(node),
    readAllocations(node),
    routesOf(node, "70"),
    routesOf(node, "bird"),
    readNeighbours(node),
    listDirectory(node, TOMBSTONE_DIR),
    listDirectory(node, STATE_DIR),
    readSessions(node),
  ]);
  const [ours, birds, neighbours, tombstones, stateFiles, sessions] = rest;
  const sandboxes = (await cri.listSandboxes()).filter(({ ready }) => ready).map(({ id }) => id).sort();
  return {
    ...{ kernel, allocations, neighbours, tombstones, stateFiles, sandboxes, sessions },
    blackholes: ours.filter(({ type }) => type === "blackhole").map(({ dst }) => dst),
    learned: birds.map(({ dst }) => dst),
    processes: await readProcesses(soakNode),
    ...(api ? { status: await readStatus(lab, node) } : {}),
  };
}

/** @returns prefix -> next hops of its best paths in the router's BGP table, other prefixes than nodes' included */
export async function lookAtRouter({ router }: Lab): Promise<ReadonlyMap<string, readonly string[]>> {
  const routes = await router.bgpRoutes();
  const hops = [...routes].map(([prefix, paths]): [string, string[]] => {
    const used = paths.filter(({ best, multipath }) => best || multipath);
    return [prefix, used.flatMap(({ nextHops }) => nextHops.slice(0, 1)).sort()];
  });
  return new Map(hops.sort(([a], [b]) => a < b ? -1 : 1));
}

/** @returns what the state file holds */
export async function readAllocations(node: LabNode): Promise<SeenAllocation[]> {
  return (await allocationsOf(node)).map((entry) => ({
    containerId: String(entry["containerId"]),
    podUid: String(record(entry["pod"])["uid"] ?? ""),
    netns: String(entry["netns"]),
    state: String(entry["state"]),
    addresses: [entry["ipv4"], entry["ipv6"]].filter((address) => address !== undefined).map(String).sort(),
    createdAt: Number(entry["createdAt"]),
  }));
}

async function routesOf(node: LabNode, protocol: string): Promise<{ dst: string; type: string }[]> {
  const tables = await Promise.all(
    ["-4", "-6"].map((family) => json(node, "ip", "-j", family, "route", "show", "proto", protocol)),
  );
  return tables.flatMap(records).map(({ dst, type }) => ({ dst: String(dst), type: String(type ?? "unicast") }))
    .sort((a, b) => a.dst < b.dst ? -1 : 1);
}

async function readNeighbours(node: LabNode): Promise<string[]> {
  const entries = records(await json(node, "ip", "-j", "neigh", "show", "nud", "permanent"));
  return entries.filter(({ dev }) => /^flock[0-9a-f]{8}$/.test(String(dev)))
    .map(({ dst, dev, lladdr }) => `${dst} ${dev} ${lladdr}`).sort();
}

async function json(node: LabNode, ...argv: string[]): Promise<unknown> {
  return JSON.parse((await node.output(argv)).trim() || "[]");
}

async function listDirectory(node: LabNode, path: string): Promise<string[]> {
  return (await node.output(["sh", "-c", 'mkdir -p "$0" && ls -A "$0"', path])).split("\n").filter((name) =>
    name !== ""
  );
}

async function readSessions(node: LabNode): Promise<string[]> {
  const lines = (await node.birdc("show protocols")).split("\n").map((line) => line.trim().split(/\s+/));
  return lines.filter(([, protocol]) => protocol === "BGP").map((words) => `${words[0]} ${words.at(-1)}`).sort();
}

async function readStatus(lab: Lab, node: LabNode): Promise<NonNullable<NodeSight["status"]>> {
  const { advertised, conditions } = record((await lab.api.get(configPath(node)))?.["status"]);
  return {
    advertised: Array.isArray(advertised) ? advertised.map(String).sort() : [],
    conditions: records(conditions).map(({ type, status }) => `${type}=${status}`).sort(),
  };
}

const PLUGINS_SCRIPT = "grep -lsz '^CNI_COMMAND=' /proc/[0-9]*/environ | wc -l";

async function readProcesses({ lab: node, agent: { pid } }: SoakNode): Promise<ProcessView> {
  const fds = [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
  const children = (await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`)).trim().split(" ")
    .filter((child) => child !== "");
  const stats = await Promise.all(children.map((child) => Deno.readTextFile(`/proc/${child}/stat`).catch(() => "")));
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return {
    fds,
    children: children.length,
    zombies: stats.filter((stat) => / Z /.test(stat)).length,
    residentMiB: Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024),
    plugins: Number(await node.output(["sh", "-c", PLUGINS_SCRIPT])),
  };
}
