/** Processes of a node: what flock started and nobody ends, and what its daemons take. */
import type { LabNode } from "../../lab/node.ts";

/** What one process has open and holds. */
export interface Use {
  readonly fds: number;
  readonly residentMiB: number;
  readonly threads: number;
}

export interface ProcessSight {
  readonly agent: Use;
  readonly bird: Use;
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
  return { agent, bird, ...sortProcesses(listing), plugins: Number(plugins) };
}

async function readUse(pid: number): Promise<Use> {
  const fds = [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  return { fds, residentMiB: Math.round(field("VmRSS") / 1024), threads: field("Threads") };
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

export function judgeProcesses({ agent, children, zombies, orphans, agents, plugins }: ProcessSight): string[] {
  const measured = { ...agent, children: children.length };
  const names = ["fds", "children", "residentMiB", "threads"] as const;
  return [
    ...names.filter((name) => measured[name] > MOST[name])
      .map((name) => `agent: ${name} ${measured[name]}, at most ${MOST[name]}`),
    ...zombies.map((args) => `zombie: ${args}`),
    ...orphans.map((args) => `a tool that no agent waits for: ${args}`),
    ...(agents.length === 1 ? [] : [`agents: ${agents.length}, not one`]),
    ...(plugins === 0 ? [] : [`plugins that nobody called: ${plugins}`]),
  ];
}
