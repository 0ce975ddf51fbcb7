/** A node of the soak: the lab's node, and its daemons as things that can be killed. */
import { STATE_DIR } from "../../src/paths/paths.ts";
import type { Containerd } from "../lab/containerd.ts";
import type { CriClient } from "../lab/cri.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import type { Daemon } from "../lab/process.ts";
import { nodeConfigOf } from "../lab/topology.ts";
import { record } from "../lab/json.ts";
import { until } from "../lab/until.ts";
import { plantForeign } from "./checks/foreign.ts";
import { type Baseline, readBaseline } from "./sight.ts";

/** Room for all addresses that may rest at a time: then a reused one is one too many. */
const CIDRS4 = ["198.18.0.0/22", "198.18.4.0/22"];

/** Small enough to be filled at once. */
const STATE_DISK = "4m";

/** Longer than the plugin waits for an agent that hangs. */
const AS_KUBELET = { callTimeoutMs: 120_000 };

export type DaemonName = "agent" | "bird" | "containerd";

/** A node whose daemons run, or are about to. */
export interface SoakNode {
  readonly lab: LabNode;
  /** What the router learns of it. */
  readonly prefixes: readonly string[];
  /** Of the containerd that runs, or ran last. */
  readonly cri: CriClient;
  readonly baseline: Baseline;
  /** When the agent that runs now was started, or went on after a stop; wall clock, milliseconds. */
  readonly agentUpSince: number;
  /** When containerd was killed, each time; wall clock, milliseconds. */
  readonly containerdKills: readonly number[];
  /** @returns the process of the one that runs, or ran last, as the machine counts */
  pidOf(daemon: DaemonName): number;
  /** Ends one in this way. Resolves when it has ended. */
  end(daemon: DaemonName, signal: Deno.Signal): Promise<void>;
  /** Starts one that has ended. Resolves when it answers. */
  start(daemon: DaemonName): Promise<void>;
  /** Stops one where it is. @returns a function that lets it go on */
  freeze(daemon: DaemonName): () => void;
  /** @returns which daemons have ended that nobody ended */
  missing(): readonly DaemonName[];
}

/** Starts all of a node. Resolves when containerd takes pods and the router has the node's prefixes. */
export async function startSoakNode(lab: Lab, { node, index }: { node: LabNode; index: number }): Promise<SoakNode> {
  const config = nodeConfigOf(node.spec);
  const cidr4 = CIDRS4[index] ?? node.spec.cidr4;
  await lab.api.apply({ ...config, spec: { ...record(config["spec"]), cidr4: [cidr4] } });
  await node.output(["mount", "-o", `remount,size=${STATE_DISK}`, STATE_DIR]);
  await plantForeign(node);
  const baseline = await readBaseline(node);
  const [agent, bird, containerd] = await Promise.all([
    node.startAgent(),
    node.startBird(),
    node.startContainerd(AS_KUBELET),
  ]);
  const daemons = { agent, bird, containerd };
  const soakNode = new RunningNode(node, { prefixes: [cidr4, node.spec.cidr6], baseline, daemons });
  await until("containerd is ready for pods", async () => (await soakNode.cri.complaints()).length === 0, {
    timeoutMs: 30_000,
  });
  await Promise.all(soakNode.prefixes.map((prefix) => lab.router.waitForRoute(prefix)));
  return soakNode;
}

interface Daemons {
  agent: Daemon;
  bird: Daemon;
  containerd: Containerd;
}

class RunningNode implements SoakNode {
  agentUpSince = Date.now();
  readonly containerdKills: number[] = [];
  readonly prefixes: readonly string[];
  readonly baseline: Baseline;
  readonly #daemons: Daemons;
  readonly #ended = new Set<DaemonName>();

  constructor(
    readonly lab: LabNode,
    { prefixes, baseline, daemons }: { prefixes: readonly string[]; baseline: Baseline; daemons: Daemons },
  ) {
    this.prefixes = prefixes;
    this.baseline = baseline;
    this.#daemons = daemons;
  }

  get cri(): CriClient {
    return this.#daemons.containerd.cri;
  }

  pidOf(daemon: DaemonName): number {
    return this.#daemon(daemon).pid;
  }

  async end(daemon: DaemonName, signal: Deno.Signal): Promise<void> {
    this.#ended.add(daemon);
    await this.#daemon(daemon).stop(signal, 15_000);
    if (daemon === "containerd") this.containerdKills.push(Date.now());
  }

  async start(daemon: DaemonName): Promise<void> {
    if (daemon === "agent") {
      this.#daemons.agent = await this.lab.startAgent();
      this.agentUpSince = Date.now();
    }
    if (daemon === "bird") this.#daemons.bird = await this.lab.startBird();
    if (daemon === "containerd") await this.#startContainerd();
    this.#ended.delete(daemon);
  }

  freeze(daemon: DaemonName): () => void {
    const frozen = this.#daemon(daemon);
    frozen.signal("SIGSTOP");
    return () => {
      frozen.signal("SIGCONT");
      if (daemon === "agent") this.agentUpSince = Date.now();
    };
  }

  missing(): readonly DaemonName[] {
    const names = ["agent", "bird", "containerd"] as const;
    return names.filter((name) => !this.#ended.has(name) && !this.#daemon(name).running);
  }

  /** Calls under way on the old connection fail by themselves; a new one does not wait for gRPC's back-off. */
  async #startContainerd(): Promise<void> {
    const { cri: old } = this.#daemons.containerd;
    this.#daemons.containerd = await this.lab.startContainerd(AS_KUBELET);
    old[Symbol.dispose]();
  }

  #daemon(name: DaemonName): Daemon {
    return name === "containerd" ? this.#daemons.containerd.daemon : this.#daemons[name];
  }
}
