import type { Clock } from "../clock/clock.ts";
import type { KubeClient, Watched } from "../kube/kube_client.ts";
import type { Logger, LogLevel } from "../log/logger.ts";
import type { Pod } from "../pod/pod.ts";
import type { ApiOutage } from "./api_outage.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import type { ClaimReconciler } from "./claim_reconciler.ts";
import type { DriftListener, DriftTick } from "./drift_watch.ts";
import type { GarbageCollector } from "./garbage_collector.ts";
import { type NodeReconciler, type NodeView, SERVER_LATE_MS } from "./node_reconciler.ts";
import { NodeWork } from "./node_work.ts";
import type { PolicyNameKeeper } from "./policy_name_keeper.ts";
import type { PolicyReconciler } from "./policy_reconciler.ts";
import { type LoopState, ReconcileLoop, type Tick } from "./reconcile_loop.ts";
import type { NodeConfigReading } from "./resolve_node_config.ts";
import type { RepairNews } from "./repair_news.ts";
import type { RpcServer } from "./rpc_server.ts";
import type { SessionMonitor } from "./session_monitor.ts";
import { COUNTS_MS, type StatusReporter, viewWithoutConfig } from "./status_reporter.ts";
import type { TombstoneReplay } from "./tombstone_replay.ts";

/** Milliseconds between sweeps of the garbage collector, and looks at BIRD. */
const COLLECT_MS = 5_000;
const SESSIONS_MS = 2_000;
/** BIRD may have been started anew with another file, and the conflist be gone: nobody tells. Where nothing is, it costs no process. */
const ADVERTISE_MS = 2_000;
/** The Node's condition is a heartbeat (spec section 10). */
const NODE_CONDITION_MS = 60_000;
/** The NodeConfig's status is written at most once in this time. */
const STATUS_MS = 1_000;
/** The first of ever longer waits. */
const RETRY_MS = 2_000;
/** How long a stop waits for requests, then for passes, then for the drivers, in milliseconds; 5 s in all. */
const STOP_MS = { requests: 2_000, loops: 2_000, drivers: 1_000 };

const ADDRESSES: Tick = "addresses";
/** A pod came, went or changed in the API. */
const PODS: Tick = "pods";

export interface AgentParts {
  readonly nodeName: string;
  readonly nodeConfigs: Watched<NodeConfigReading>;
  /** The pods of this node. */
  readonly pods: Pick<Watched<Pod>, "onChange">;
  readonly kube: Pick<KubeClient, "stop">;
  readonly ledger: Pick<AllocationLedger, "flush" | "all" | "pools">;
  readonly reconciler: Pick<
    NodeReconciler,
    "ready" | "config" | "view" | "judged" | "announce" | "pass" | "repairLinks" | "repairGuard" | "repairRoutes"
  >;
  readonly sessions: Pick<SessionMonitor, "view" | "read">;
  readonly tombstones: Pick<TombstoneReplay, "catchUp">;
  readonly collector: Pick<GarbageCollector, "sweep">;
  readonly claims: Pick<ClaimReconciler, "pass">;
  readonly policyNames: Pick<PolicyNameKeeper, "keep">;
  readonly policies: Pick<PolicyReconciler, "onChange" | "settle" | "doubt" | "inForce" | "problems" | "failure">;
  readonly reporter: Pick<StatusReporter, "reportNodeConfig" | "reportNode">;
  readonly outage: Pick<ApiOutage, "look">;
  readonly repairNews: Pick<RepairNews, "look">;
  readonly server: Pick<RpcServer, "serve" | "stop">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What the log holds from now on; called with the NodeConfig's word whenever that may be another. */
  setLogLevel(level: LogLevel): void;
  /** Writes the conflist; called when the node can serve and whenever the NodeConfig in force may say something new. */
  placeConflist(): Promise<void>;
  /** Listens for HTTP where the NodeConfig in force says; called when that may be elsewhere. */
  placePages(): Promise<void>;
  /** What the node tells its routers by now; must not throw. */
  announced(view: NodeView): void;
  /** Tells when the kernel has to be looked at. Resolves after the signal, when its processes have ended; never rejects. */
  watchDrift(listener: DriftListener): Promise<void>;
  /** Ends the persistent processes of the drivers. */
  close(): Promise<void>;
}

/** The running agent: rings the loops and serves the plugin. */
export class Agent {
  readonly #node: ReconcileLoop;
  /** Apart from the node's, whose passes take their time: routers hear at once of a pod that is Ready, or is no more. */
  readonly #routes: ReconcileLoop;
  readonly #claims: ReconcileLoop;
  /** Apart from all others, which take their time: an event is in force within milliseconds. */
  readonly #policies: ReconcileLoop;
  readonly #policyNames: ReconcileLoop;
  readonly #conflist: ReconcileLoop;
  readonly #status: ReconcileLoop;
  readonly #condition: ReconcileLoop;
  readonly #sessions: ReconcileLoop;
  readonly #collect: ReconcileLoop;
  readonly #pages: ReconcileLoop;
  readonly #all: ReconcileLoop[] = [];
  readonly #stopped = Promise.withResolvers<void>();
  readonly #work: NodeWork;
  #sawReady = false;
  /** Whether the NodeConfig in force is one that was deleted. */
  #sawDeleted = false;
  #toldOfPolicies = "";

  constructor(private readonly parts: AgentParts) {
    this.#work = new NodeWork(parts.reconciler, { pathsChanged: () => this.#routes.ring("links") });
    this.#node = this.#loop("node", (ticks) => this.#reconcileNode(ticks));
    this.#routes = this.#loop("routes", () => this.#announce());
    this.#claims = this.#loop("claims", () => this.parts.claims.pass());
    this.#policies = this.#loop("policies", () => this.#settlePolicies());
    this.#policyNames = this.#loop("policy names", () => this.parts.policyNames.keep());
    this.#conflist = this.#loop("conflist", () => this.#placeConflist());
    this.#status = this.#loop("status", () => this.#reportStatus());
    this.#condition = this.#loop("condition", () => this.#reportCondition());
    this.#sessions = this.#loop("sessions", () => this.#readSessions());
    this.#collect = this.#loop("collect", () => this.#collectGarbage());
    this.#pages = this.#loop("pages", () => this.parts.placePages());
  }

  /** How each of the loops is doing. */
  get loops(): readonly LoopState[] {
    return this.#all.map(({ state }) => state);
  }

  /** A pod came or went. */
  addressesChanged(): void {
    this.#routes.ring(ADDRESSES);
    this.#status.ring(ADDRESSES);
    this.#claims.ring(ADDRESSES); // who had what another one claims may be gone
  }

  /** Somebody else changed the kernel. */
  drifted(): void {
    this.#node.ring("drift");
  }

  /** Serves until the signal is aborted, then stops cleanly; nothing is withdrawn from the kernel or from BIRD. */
  async run(signal: AbortSignal): Promise<void> {
    const { nodeConfigs, pods, server, clock, logger } = this.parts;
    const unlisten = [
      nodeConfigs.onChange(() => this.#node.ring("nodeConfigs")),
      pods.onChange(() => this.#hearPods()),
    ];
    this.#node.ring("start");
    this.#collect.ring("start");
    this.parts.policies.onChange(() => this.#policies.ring("changed"));
    this.#policies.ring("start");
    this.#pages.ring("start");
    const whenLate = (): void => nodeConfigs.synced ? undefined : this.#node.ring("server late");
    void clock.sleep(SERVER_LATE_MS, signal).then(whenLate, () => {});
    const watched = this.parts.watchDrift({ signal, ring: (tick) => this.#look(tick) });
    void this.#routes.ringEvery(ADVERTISE_MS, { tick: ADDRESSES, signal });
    void this.#sessions.ringEvery(SESSIONS_MS, { tick: "timer", signal });
    void this.#collect.ringEvery(COLLECT_MS, { tick: "timer", signal });
    void this.#status.ringEvery(COUNTS_MS, { tick: "timer", signal });
    void this.#condition.ringEvery(NODE_CONDITION_MS, { tick: "heartbeat", signal });
    signal.addEventListener("abort", () => void this.#stop({ unlisten, watched }), { once: true });
    logger.info("serving", { node: this.parts.nodeName });
    await Promise.race([server.serve(), this.#stopped.promise]);
    await this.#stopped.promise;
  }

  async #look(tick: DriftTick): Promise<void> {
    const doubts: readonly DriftTick[] = ["policies", "policies?", "drift"];
    if (doubts.includes(tick)) this.parts.policies.doubt({ touched: tick === "policies" });
    if (tick !== "policies" && tick !== "policies?") this.#node.ring(tick);
    await Promise.all([this.#node.settled(), this.#policies.settled()]);
  }

  async #settlePolicies(): Promise<void> {
    try {
      await this.parts.policies.settle();
    } finally {
      const { inForce, problems, failure } = this.parts.policies;
      const told = JSON.stringify([inForce, problems, failure]);
      if (told !== this.#toldOfPolicies) this.#status.ring("policies");
      this.#toldOfPolicies = told;
      this.#policyNames.ring("policies");
    }
  }

  #hearPods(): void {
    this.#routes.ring(PODS);
    this.#claims.ring(PODS);
  }

  async #announce(): Promise<void> {
    try {
      await this.parts.reconciler.announce();
    } finally {
      this.#tellOthers();
    }
  }

  async #stop({ unlisten, watched }: { unlisten: readonly (() => void)[]; watched: Promise<void> }): Promise<void> {
    const { server, kube, logger } = this.parts;
    logger.info("stopping");
    for (const stop of unlisten) stop();
    await this.#end("requests", () => server.stop());
    await this.#end("loops", async () => {
      kube.stop(); // first: a pass that waits for the API server ends now
      await Promise.all(this.#all.map((loop) => loop.stop()));
    });
    await this.#end("drivers", async () => void await Promise.all([this.parts.close(), watched]));
    this.#stopped.resolve();
  }

  /** Never throws, and waits no longer than it may: an ADD may wait a minute for its NodeConfig. */
  async #end(what: keyof typeof STOP_MS, work: () => Promise<void>): Promise<void> {
    const { clock, logger } = this.parts;
    const done = new AbortController();
    const late = clock.sleep(STOP_MS[what], done.signal).then(
      () => logger.warn("not ended in time", { what }),
      () => {},
    );
    const ended = work().catch((error: unknown) => logger.error("not ended", { what, error: String(error) }));
    await Promise.race([ended, late]);
    done.abort();
  }

  async #reconcileNode(ticks: readonly Tick[]): Promise<void> {
    try {
      await this.#work.pass(ticks);
    } finally {
      this.#tellOthers();
    }
  }

  /** After a failed pass too: the node may serve pods while BIRD's file, say, cannot be written. */
  #tellOthers(): void {
    if (this.parts.reconciler.ready && !this.#sawReady) {
      this.#sawReady = true;
      this.#condition.ring("ready");
      this.#sessions.ring("ready");
      this.#claims.ring("ready");
    }
    const { view, config, judged } = this.parts.reconciler;
    const isDeleted = judged?.resolution.verdict.reason === "Deleted";
    if (isDeleted !== this.#sawDeleted) this.#condition.ring("nodeConfigs");
    this.#sawDeleted = isDeleted;
    if (view !== undefined) this.parts.announced(view);
    if (config !== undefined) this.parts.setLogLevel(config.logLevel);
    this.#conflist.ring("node");
    this.#pages.ring("node");
    this.#status.ring("node");
  }

  async #placeConflist(): Promise<void> {
    if (this.parts.reconciler.ready) await this.parts.placeConflist();
  }

  /** Also looks after the API server: both say by silence that they are gone. A BIRD that was away and answers again needs its configuration; while it is away a pass would change nothing. */
  async #readSessions(): Promise<void> {
    const { sessions, reconciler, outage, repairNews } = this.parts;
    outage.look();
    repairNews.look();
    if (await sessions.read()) this.#status.ring("sessions");
    const outcome = reconciler.view?.bird;
    const unreachable = outcome?.applied === false && outcome.reason === "unreachable";
    if (unreachable && sessions.view.sessions !== undefined) this.#node.ring("bird");
  }

  /** Also writes the deletions that a full disk refused; a sweep works without. */
  async #collectGarbage(): Promise<void> {
    const { ledger, tombstones, collector, logger } = this.parts;
    await tombstones.catchUp();
    await ledger.flush().catch((error: unknown) => logger.error("state not written", { error: String(error) }));
    await collector.sweep();
  }

  async #reportStatus(): Promise<void> {
    const { reconciler, sessions, policies, ledger, reporter, clock } = this.parts;
    const { judged } = reconciler;
    if (judged === undefined) return;
    const { resolution, failure } = judged;
    const known = reconciler.view;
    const view = known === undefined ? viewWithoutConfig(resolution) : { ...known, resolution };
    const pools = ledger.pools(resolution.inForce);
    const pods = ledger.all().filter(({ state }) => state === "committed").length;
    await reporter.reportNodeConfig(judged, { view, failure, sessions: sessions.view, policies, pools, pods });
    await clock.sleep(STATUS_MS);
  }

  async #reportCondition(): Promise<void> {
    if (this.parts.reconciler.ready) {
      await this.parts.reporter.reportNode(this.parts.reconciler.judged?.resolution.verdict);
    }
  }

  #loop(name: string, pass: (ticks: readonly Tick[]) => Promise<void>): ReconcileLoop {
    const { clock, logger } = this.parts;
    const loop = new ReconcileLoop(pass, { name, retryMs: RETRY_MS, clock, logger });
    this.#all.push(loop);
    return loop;
  }
}
