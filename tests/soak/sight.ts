/** What there is on a node, read at one moment, and not yet judged. */
import { STATE_FILE } from "../../src/paths/paths.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { type BirdSight, readBird } from "./checks/bird.ts";
import { type PodSight, readPods } from "./checks/ends.ts";
import type { LiveContainer } from "./checks/expectation.ts";
import { readFiles } from "./checks/files.ts";
import { readForeign, snapshotForeign } from "./checks/foreign.ts";
import { type GuardSight, parseGuard, readGolden } from "./checks/guard.ts";
import { type KernelSight, readKernel } from "./checks/kernel.ts";
import { type ApiPod, readApiPods, readRuntimePods, type RuntimePod } from "./checks/pods.ts";
import { type ProcessSight, readProcesses } from "./checks/processes.ts";
import { parseStateFile, type StateSight } from "./checks/state.ts";
import { readStatus, type StatusSight } from "./checks/status.ts";
import type { SoakNode } from "./soak_node.ts";

/** What a node was like before flock came, and what flock's tables look like when nothing is in their sets. */
export interface Baseline {
  readonly golden: GuardSight;
  readonly foreign: readonly string[];
}

export interface NodeSight {
  readonly kernel: KernelSight;
  readonly guard: GuardSight;
  readonly foreign: readonly string[];
  /** By network namespace, as the runtime names it. */
  readonly pods: ReadonlyMap<string, PodSight>;
  readonly state: StateSight;
  readonly bird: BirdSight;
  readonly runtime: readonly RuntimePod[];
  readonly files: readonly string[];
  readonly processes: ProcessSight;
  /** Absent: the API server cannot be asked. */
  readonly api?: { readonly pods: readonly ApiPod[]; readonly status: StatusSight };
}

/** To be taken before anything of flock's runs there. */
export async function readBaseline(node: LabNode): Promise<Baseline> {
  return { golden: await readGolden(node), foreign: await snapshotForeign(node) };
}

/** @param options.api false: the API server cannot be asked */
export async function lookAtNode(
  soakNode: SoakNode,
  { lab, api, live }: { lab: Lab; api: boolean; live: readonly LiveContainer[] },
): Promise<NodeSight> {
  const { lab: node, cri } = soakNode;
  const [kernel, pods, state, bird, runtime, files] = await Promise.all([
    readKernel(node),
    readPods(node, live),
    readState(node),
    readBird(node),
    readRuntimePods(cri),
    readFiles(node),
  ]);
  const guard = parseGuard(kernel.ruleset);
  const foreign = await readForeign(node, kernel);
  const processes = await readProcesses(node, { agent: soakNode.pidOf("agent"), bird: soakNode.pidOf("bird") });
  const sight = { kernel, guard, foreign, pods, state, bird, runtime, files, processes };
  if (!api) return sight;
  return { ...sight, api: { pods: await readApiPods(lab, node.name), status: await readStatus(lab, node) } };
}

/** @returns what the state file holds */
export async function readState(node: LabNode): Promise<StateSight> {
  const { mtime } = await Deno.stat(node.outside(STATE_FILE));
  return parseStateFile(await node.read(STATE_FILE), mtime?.getTime() ?? 0);
}
