/** Processes of a node: what flock started and nobody ends, and what its daemons take. */
import { SYSCTL_DIR } from "../../../src/paths/paths.ts";
import type { LabNode } from "../../lab/node.ts";
import { compare } from "./compare.ts";
import type { Expectation } from "./expectation.ts";
import { hostLinkName } from "../../../src/hash/container_hash.ts";

/** What one process has open and holds. */
export interface Use {
  /** But those of sysctls. */
  readonly fds: number;
  readonly residentMiB: number;
  readonly threads: number;
}

export interface ProcessSight {
  readonly agent: Use;
  readonly bird: Use;
  /** Paths of the sysctls that the agent has open, below its directory of them, as often as it has. */
  readonly sysctls: readonly string[];
  /** Processes that the agent started and that run. */
  readonly children: readonly string[];
  /** Command lines of dead ones whose parent has not asked how they ended. */
  readonly zombies: readonly string[];
  /** Tools that run on the node and are no agent's. */
  readonly orphans: readonly string[];
  /** Agents, by command line. */
  readonly agents: readonly string[];
  /** Plugins that run while nobody calls one. */
  readonly plugins: number;
}

/** One line of `ps`. */
interface Line {
  readonly pid: number;
  readonly ppid: number;
  readonly stat: string;
  readonly args: string;
}

/** Of the agent, with room for what 110 pods at once need. */
const MOST = { fds: 64, children: 12, residentMiB: 200, threads: 64 } as const;
/** Nobody but the agent runs these on a node, besides the checker's own short calls. */
const TOOLS = /^\/usr\/sbin\/(ip|nft|bird -p)\b/;
const AGENT = / agent --kubeconfig \S+ --node /;
const PLUGINS_SCRIPT = "grep -lsz '^CNI_COMMAND=' /proc/[0-9]*/environ | wc -l";

/** @param pids as the machine counts */
export async function readProcesses(
  node: LabNode,
  pids: { readonly agent: number; readonly bird: number },
): Promise<ProcessSight> {
  const [agent, bird, listing, plugins] = await Promise.all([
    readUse(pids.agent),
    readUse(pids.bird),
    node.output(["ps", "-ww", "-e", "-o", "pid=,ppid=,stat=,args="]),
    node.output(["sh", "-c", PLUGINS_SCRIPT]),
  ]);
  const sysctls = openFiles(pids.agent).filter(isSysctl).map((path) => path.slice(SYSCTL_DIR.length + 1));
  return { agent, bird, sysctls, ...sortProcesses(listing), plugins: Number(plugins) };
}

async function readUse(pid: number): Promise<Use> {
  const fds = openFiles(pid).filter((path) => !isSysctl(path)).length;
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  return { fds, residentMiB: Math.round(field("VmRSS") / 1024), threads: field("Threads") };
}

/** @returns what each open file is, as the kernel names it */
function openFiles(pid: number): string[] {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].flatMap(({ name }) => {
    try {
      return [Deno.readLinkSync(`/proc/${pid}/fd/${name}`)];
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return []; // closed meanwhile
      throw error;
    }
  });
}

function isSysctl(path: string): boolean {
  return path.startsWith(`${SYSCTL_DIR}/`);
}

/** @param listing pid, parent, state and command line of every process of the node */
export function sortProcesses(
  listing: string,
): Pick<ProcessSight, "children" | "zombies" | "orphans" | "agents"> {
  const lines = listing.split("\n").flatMap(parseLine);
  const agents = lines.filter(({ args }) => AGENT.test(args));
  const isAgents = ({ ppid }: Line): boolean => agents.some(({ pid }) => pid === ppid);
  const argsOf = (some: readonly Line[]): string[] => some.map(({ args }) => args).sort();
  return {
    children: argsOf(lines.filter(isAgents)),
    zombies: argsOf(lines.filter(({ stat }) => stat.startsWith("Z"))),
    orphans: argsOf(lines.filter((line) => TOOLS.test(line.args) && !isAgents(line))),
    agents: argsOf(agents),
  };
}

function parseLine(line: string): Line[] {
  const [, pid, ppid, stat = "", args = ""] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
  return pid === undefined ? [] : [{ pid: Number(pid), ppid: Number(ppid), stat, args }];
}

export function judgeProcesses(
  { agent, sysctls, children, zombies, orphans, agents, plugins }: ProcessSight,
  { live }: Pick<Expectation, "live">,
): string[] {
  const links = new Set(live.map(({ id }) => hostLinkName(id)));
  const kept = sysctls.filter((path) =>
    !/^ipv[46]\/conf\/flock[0-9a-f]{8}\//.test(path) || links.has(path.split("/")[2] ?? "")
  );
  const measured = { ...agent, children: children.length };
  const names = ["fds", "children", "residentMiB", "threads"] as const;
  return [
    ...compare("sysctls that the agent has open", sysctls, [...new Set(kept)]),
    ...names.filter((name) => measured[name] > MOST[name])
      .map((name) => `agent: ${name} ${measured[name]}, at most ${MOST[name]}`),
    ...zombies.map((args) => `zombie: ${args}`),
    ...orphans.map((args) => `a tool that no agent waits for: ${args}`),
    ...(agents.length === 1 ? [] : [`agents: ${agents.length}, not one`]),
    ...(plugins === 0 ? [] : [`plugins that nobody called: ${plugins}`]),
  ];
}
