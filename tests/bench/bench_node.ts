/** A node of the lab that is measured: its agent serves, and a worker in its namespaces waits to be told what to run. */
import { STATE_DIR } from "../../src/paths/paths.ts";
import { record } from "../lab/json.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { podObject } from "../lab/pods.ts";
import type { Daemon } from "../lab/process.ts";
import { nodeConfigOf } from "../lab/topology.ts";
import type { BenchPod, Executables, Samples } from "./contenders.ts";
import { startResident } from "./resident.ts";
import { type RunAnswer, type RunRequest, WORKER_PROGRAM } from "./worker.ts";

export interface BenchNode {
  /** The one that runs now. */
  readonly agent: Daemon;
  /** From the start of the agent until the first ADD was served, in milliseconds. */
  readonly startMs: number;
  /** Runs a contender once, for that pod. @throws what the contender throws */
  measure(contender: string, pod?: BenchPod): Promise<Samples>;
  /** Creates a Pod on this node. */
  createPod(name: string, annotations?: Readonly<Record<string, string>>): Promise<BenchPod>;
  /**
   * Kills the agent and starts another one, which is asked at once.
   *
   * @param options.forget takes away all that it wrote down
   * @returns milliseconds until it has served its first ADD, which is undone
   */
  restart(options: { readonly forget: boolean }): Promise<number>;
}

export interface BenchNodeOptions {
  readonly executables: Executables;
  /** Room for as many pods as are measured, the ones that still rest included. */
  readonly cidr4: string;
  /** A directory on a real disk: the agent's state lies there, not on the lab's tmpfs, where a fsync costs nothing. */
  readonly stateDir: string;
}

/** Starts BIRD, worker and agent. Resolves when the first ADD has been served; its pod stays. */
export async function startBenchNode(lab: Lab, node: LabNode, options: BenchNodeOptions): Promise<BenchNode> {
  const { executables, cidr4, stateDir } = options;
  await Deno.mkdir(stateDir);
  await node.output(["mount", "--bind", stateDir, "/var/lib/flock"]);
  const config = nodeConfigOf(node.spec);
  await lab.api.apply({ ...config, spec: { ...record(config["spec"]), cidr4: [cidr4] } });
  await node.startBird();
  const createPod: BenchNode["createPod"] = async (name, annotations = {}) => {
    const pod = { name: `${node.name}-${name}`, namespace: "default" };
    const created = await lab.api.apply(podObject({ ...pod, annotations, nodeName: node.name }));
    return { ...pod, uid: String(record(created["metadata"])["uid"]) };
  };
  const [run, pod] = await Promise.all([startWorker(node, { executables, dir: lab.dir }), createPod("measured")]);
  let agent: Daemon | undefined;
  const start = async (contender: string): Promise<number> => {
    const startedAt = performance.now();
    agent = await node.startAgent({ wait: false });
    await run({ contender, pod });
    return performance.now() - startedAt;
  };
  const startMs = await start("stay");
  return {
    startMs,
    createPod,
    get agent(): Daemon {
      if (agent === undefined) throw new Error(`Cannot look at the agent of ${node.name}: it was never started`);
      return agent;
    },
    measure: (contender, of = pod) => run({ contender, pod: of }),
    restart: async ({ forget }) => {
      await node.stopAgent("SIGKILL");
      if (forget) await node.output(["sh", "-c", `rm -rf ${STATE_DIR}/*`]);
      const ms = await start("visit");
      await run({ contender: "leave", pod });
      return ms;
    },
  };
}

type Run = (request: RunRequest) => Promise<Samples>;

async function startWorker(
  node: LabNode,
  { executables, dir }: { executables: Executables; dir: string },
): Promise<Run> {
  const args = [JSON.stringify(executables)];
  const ask = await startResident<RunRequest, RunAnswer>(node, { program: WORKER_PROGRAM, args, dir });
  return async (request) => {
    const answer = await ask(request);
    if ("error" in answer) throw new Error(`Cannot measure ${request.contender} on ${node.name}: ${answer.error}`);
    return answer.samples;
  };
}
