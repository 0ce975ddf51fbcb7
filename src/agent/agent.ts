import type { Clock } from "../clock/clock.ts";
import type { KubeClient, Watched } from "../kube/kube_client.ts";
import type { Logger } from "../log/logger.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import type { GarbageCollector } from "./garbage_collector.ts";
import type { NodeReconciler } from "./node_reconciler.ts";
import { ReconcileLoop, type Tick } from "./reconcile_loop.ts";
import type { NodeConfigReading, NodeConfigResolution } from "./resolve_node_config.ts";
import type { RpcServer } from "./rpc_server.ts";
import type { SessionMonitor } from "./session_monitor.ts";
import { isReportable, type StatusReporter, viewWithoutConfig } from "./status_reporter.ts";

/** Milliseconds between passes that look for drift, sweeps of the garbage collector, and looks at BIRD. */
const DRIFT_MS = 10_000;
const COLLECT_MS = 10_000;
const SESSIONS_MS = 2_000;
/** The Node's condition is a heartbeat (spec section 10). */
const NODE_CONDITION_MS = 60_000;
/** The NodeConfig's status is written at most once in this time. */
const STATUS_MS = 1_000;
const RETRY_MS = 2_000;

const ADDRESSES: Tick = "addresses";
const DRIFT: Tick = "drift";

export interface AgentParts {
  readonly nodeName: string;
  readonly nodeConfigs: Watched<NodeConfigReading>;
  readonly kube: KubeClient;
  readonly ledger: AllocationLedger;
  readonly reconciler: NodeReconciler;
  readonly sessions: SessionMonitor;
  readonly collector: GarbageCollector;
  readonly reporter: StatusReporter;
  readonly server: RpcServer;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Writes the conflist; called when the node can serve and whenever the NodeConfig in force may say something new. */
  placeConflist(): Promise<void>;
  /** Ends the persistent processes of the drivers. */
  close(): Promise<void>;
}

/** The running agent: rings the loops and serves the plugin. */
export class Agent {
  readonly #node: ReconcileLoop;
  readonly #status: ReconcileLoop;
  readonly #condition: ReconcileLoop;
  readonly #sessions: ReconcileLoop;
  readonly #collect: ReconcileLoop;

  constructor(private readonly parts: AgentParts) {
    this.#node = this.#loop("node", (ticks) => this.#reconcileNode(ticks));
    this.#status = this.#loop("status", () => this.#reportStatus());
    this.#condition = this.#loop("condition", () => this.#reportCondition());
    this.#sessions = this.#loop("sessions", () => this.#readSessions());
    this.#collect = this.#loop("collect", () => this.#collectGarbage());
  }

  /** A pod came or went. */
  addressesChanged(): void {
    this.#node.ring(ADDRESSES);
  }

  /** Somebody else changed the kernel. */
  drifted(): void {
    this.#node.ring(DRIFT);
  }

  /** Serves until the signal is aborted, then stops cleanly; nothing is withdrawn from the kernel or from BIRD. */
  async run(signal: AbortSignal): Promise<void> {
    const { nodeConfigs, server, logger } = this.parts;
    const unlisten = nodeConfigs.onChange(() => this.#node.ring("nodeConfigs"));
    this.#node.ring("start");
    this.#node.ringEvery(DRIFT_MS, { tick: DRIFT, signal });
    this.#sessions.ringEvery(SESSIONS_MS, { tick: "timer", signal });
    this.#collect.ringEvery(COLLECT_MS, { tick: "timer", signal });
    this.#condition.ringEvery(NODE_CONDITION_MS, { tick: "heartbeat", signal });
    signal.addEventListener("abort", () => void this.#stop(unlisten), { once: true });
    logger.info("serving", { node: this.parts.nodeName });
    await server.serve();
    await this.#stopped.promise;
  }

  readonly #stopped = Promise.withResolvers<void>();

  async #stop(unlisten: () => void): Promise<void> {
    const { server, kube, logger } = this.parts;
    logger.info("stopping");
    unlisten();
    await server.stop();
    await Promise.all(
      [this.#node, this.#status, this.#condition, this.#sessions, this.#collect].map((loop) => loop.stop()),
    );
    kube.stop();
    await this.parts.close();
    this.#stopped.resolve();
  }

  async #reconcileNode(ticks: readonly Tick[]): Promise<void> {
    const { reconciler } = this.parts;
    const wasReady = reconciler.ready;
    if (ticks.every((tick) => tick === ADDRESSES)) await reconciler.announce();
    else await reconciler.pass({ full: ticks.includes(DRIFT) });
    if (reconciler.ready) await this.parts.placeConflist();
    if (reconciler.ready && !wasReady) {
      this.#condition.ring("ready");
      this.#sessions.ring("ready");
    }
    this.#status.ring("node");
  }

  async #readSessions(): Promise<void> {
    const { sessions, reconciler } = this.parts;
    const outcome = reconciler.view?.bird;
    if (outcome?.applied === false && outcome.reason === "unreachable") this.#node.ring("bird");
    if (await sessions.read()) this.#status.ring("sessions");
  }

  /** Also writes the deletions that a full disk refused. */
  async #collectGarbage(): Promise<void> {
    await this.parts.ledger.flush();
    await this.parts.collector.sweep();
  }

  async #reportStatus(): Promise<void> {
    const { nodeConfigs, nodeName, reconciler, sessions, reporter, clock } = this.parts;
    const reading = nodeConfigs.items.get(nodeName);
    const resolution: NodeConfigResolution | undefined = reconciler.resolution;
    if (reading === undefined || resolution === undefined || !isReportable(resolution.verdict)) return;
    const known = reconciler.view;
    const view = known === undefined ? viewWithoutConfig(resolution) : { ...known, resolution };
    await reporter.reportNodeConfig(reading, { view, sessions: sessions.view });
    await clock.sleep(STATUS_MS);
  }

  async #reportCondition(): Promise<void> {
    if (this.parts.reconciler.ready) await this.parts.reporter.reportNode();
  }

  #loop(name: string, pass: (ticks: readonly Tick[]) => Promise<void>): ReconcileLoop {
    const { clock, logger } = this.parts;
    return new ReconcileLoop(pass, { name, retryMs: RETRY_MS, clock, logger });
  }
}
