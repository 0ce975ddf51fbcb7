import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import type { Clock } from "../clock/clock.ts";
import { runEach } from "../fault/run_each.ts";
import type { HostDriver, HostNetwork, HostState } from "../host/host_driver.ts";
import { FAMILIES, type Family } from "../ip/address.ts";
import type { Watched } from "../kube/kube_client.ts";
import type { AttachmentDriver } from "../link/attachment_driver.ts";
import type { Logger } from "../log/logger.ts";
import type { PacketGuard } from "../nft/packet_guard.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import type { NodeTerms } from "./add.ts";
import { addressesOf, anycastOf, primaryOf } from "./allocation_addresses.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import type { Announcement, Announcer } from "./announcer.ts";
import { attachmentOf } from "./attachment_state.ts";
import { chooseMtu } from "./choose_mtu.ts";
import { nameOf } from "./claim_surroundings.ts";
import { ClusterPrefixes } from "./cluster_prefixes.ts";
import { GuardReconciler } from "./guard_reconciler.ts";
import { NODE_CHANGED, NODE_MADE, REPAIRED } from "./journal.ts";
import type { LinkRestorer } from "./link_restorer.ts";
import type { NodeConfigMemory } from "./node_config_memory.ts";
import type { PrefixMemory } from "./prefix_memory.ts";
import {
  type NodeConfigReading,
  type NodeConfigResolution,
  resolveNodeConfig,
  resolveUnheard,
} from "./resolve_node_config.ts";

/** How long an ADD waits for a NodeConfig, in milliseconds (spec section 4). */
const TERMS_TIMEOUT_MS = 60_000;
/**
 * How long an agent that was serving before it was replaced may take to serve again: more than `SERVER_LATE_MS`, less
 * than the plugin waits for an answer.
 */
const RESTART_MS = 8_000;

/** An API server that has not answered for so long since the agent's start is not waited for, in milliseconds. */
export const SERVER_LATE_MS = 5_000;

const NO_ANSWER = "the API server has not answered yet";

export interface NodeReconcilerDependencies {
  readonly nodeName: string;
  readonly nodeConfigs: Watched<NodeConfigReading>;
  readonly ledger: AllocationLedger;
  readonly host: HostDriver;
  readonly driver: AttachmentDriver;
  readonly guard: PacketGuard;
  readonly announcer: Pick<Announcer, "announce" | "doubt">;
  readonly restorer: Pick<LinkRestorer, "restore">;
  /** The NodeConfig in force, over restarts of the agent. */
  readonly memory: NodeConfigMemory;
  readonly prefixes: PrefixMemory;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a pass found; the status reporter tells it to the cluster. */
export interface NodeView extends Omit<Announcement, "failure"> {
  readonly resolution: NodeConfigResolution;
}

/** What became of the NodeConfig as it was read; undefined: there was none. */
export interface JudgedNodeConfig {
  readonly reading: NodeConfigReading | undefined;
  readonly resolution: NodeConfigResolution;
  /** What of it could not be put into the node; absent: nothing. */
  readonly failure?: string;
}

/** What BIRD's configuration was last made from, beside the live pods. */
interface Basis {
  readonly resolution: NodeConfigResolution;
  readonly config: NodeConfig;
  readonly network: HostNetwork;
}

/** Makes the node as a whole what the NodeConfig and the live pods say: kernel, packet guard, BIRD. Level-triggered. */
export class NodeReconciler {
  #resolution: NodeConfigResolution | undefined;
  #judged: JudgedNodeConfig | undefined;
  #terms: NodeTerms | undefined;
  #termsKnown = Promise.withResolvers<void>();
  #view: NodeView | undefined;
  #basis: Basis | undefined;
  #network: HostNetwork | undefined;
  #hostState: HostState | undefined;
  /** The last NodeConfig that was in force, over restarts of the agent. */
  #remembered: NodeConfig | undefined;
  readonly #prefixes: ClusterPrefixes;
  readonly #guard: GuardReconciler;
  readonly #startedAt: number;

  constructor(private readonly deps: NodeReconcilerDependencies) {
    const remembered = deps.memory.load();
    if (remembered?.name === deps.nodeName) this.#remembered = remembered;
    this.#prefixes = new ClusterPrefixes({ ...deps, memory: deps.prefixes, inForce: () => this.#resolution?.inForce });
    this.#guard = new GuardReconciler({ ...deps, prefixes: this.#prefixes });
    this.#startedAt = deps.clock.monotonic();
  }

  get view(): NodeView | undefined {
    return this.#view;
  }

  get resolution(): NodeConfigResolution | undefined {
    return this.#resolution;
  }

  /** What was decided last, once it is in the node: the watch may have heard of a newer NodeConfig by now. */
  get judged(): JudgedNodeConfig | undefined {
    return this.#judged;
  }

  get ready(): boolean {
    return this.#terms !== undefined;
  }

  /** The node's own network as last read. */
  get network(): HostNetwork | undefined {
    return this.#network;
  }

  /** What the node as a whole should be; undefined while no NodeConfig is in force. */
  get hostState(): HostState | undefined {
    return this.#hostState;
  }

  /** What STATUS is answered from. */
  get serving(): { ready: boolean; why: string; peers: number } {
    const why = this.#resolution?.verdict.message ?? NO_ANSWER;
    return { ready: this.ready, why, peers: this.config?.bgp?.peers.length ?? 0 };
  }

  /** What the node offers to a pod; undefined while no NodeConfig is in force. */
  get termsNow(): NodeTerms | undefined {
    return this.#terms;
  }

  get config(): NodeConfig | undefined {
    return this.#terms?.config;
  }

  /** What the node offers to a pod; waits for the first NodeConfig. @throws CniError 11 when none came in time */
  async terms(): Promise<NodeTerms> {
    await this.#termsWithin(TERMS_TIMEOUT_MS);
    if (this.#terms !== undefined) return this.#terms;
    throw new CniError(
      CNI_CODE.tryAgainLater,
      `Cannot serve pods on node "${this.deps.nodeName}": ${this.serving.why}`,
      { reason: "NodeNotReady" },
    );
  }

  /**
   * Whoever judges the node waits for this. An agent that starts anew on a node with a NodeConfig in force serves
   * within a second or two; what it could say until then, that it serves nobody, would cost the node its readiness, and
   * all of its pods theirs.
   *
   * @returns when pods are served, or were not for too long, or none have been before
   */
  async restarted(): Promise<void> {
    const left = this.#startedAt + RESTART_MS - this.deps.clock.monotonic();
    if (this.ready || this.#remembered === undefined || left <= 0) return;
    await this.#termsWithin(left);
  }

  async #termsWithin(ms: number): Promise<void> {
    const stop = new AbortController();
    const timeout = this.deps.clock.sleep(ms, stop.signal).catch(() => {});
    await Promise.race([this.#termsKnown.promise, timeout]);
    stop.abort();
  }

  /**
   * One pass. `full` also repairs what others removed from the kernel. What fails keeps nothing else from being done: a
   * single link or route that cannot be mended must not cost the node its packet guard, its other pods or their ADDs.
   *
   * @throws what failed, when all is done
   */
  async pass(options: { full: boolean }): Promise<void> {
    const repairs = [() => this.#guard.repair({ touched: false }), () => this.repairLinks()];
    await runEach([() => this.#putInForce(), ...(options.full ? repairs : []), () => this.announce()]);
  }

  /** All that pods need before they are served, from the NodeConfig as it is now. */
  async #putInForce(): Promise<void> {
    const { nodeConfigs, nodeName, host } = this.deps;
    const { synced } = nodeConfigs;
    if (!synced && !this.#isServerLate()) return;
    const network = this.#network = await host.read();
    const reading = nodeConfigs.items.get(nodeName);
    const resolution = this.#resolve(network, { synced });
    if (resolution === undefined) return;
    this.#note(resolution);
    try {
      await this.#putIntoTheNode(resolution, { network, synced });
      this.#judged = { reading, resolution };
    } catch (error) {
      this.#judged = { reading, resolution, failure: error instanceof Error ? error.message : String(error) };
      throw error;
    }
  }

  async #putIntoTheNode(
    resolution: NodeConfigResolution,
    { network, synced }: { network: HostNetwork; synced: boolean },
  ): Promise<void> {
    const config = resolution.inForce;
    if (config === undefined) return;
    await this.#remember(config);
    this.#basis = { resolution, config, network };
    await runEach([() => this.#applyHost(config, network), () => this.#serve({ config, network, synced })]);
  }

  /** No pod is served before the guard knows where the cluster's pods are, or was told what it last knew. */
  async #serve(
    { config, network, synced }: { config: NodeConfig; network: HostNetwork; synced: boolean },
  ): Promise<void> {
    if (synced) await this.#guard.apply(); // else it would forget where other nodes' pods are
    const [foreign, otherNodes] = [this.#prefixes.foreignIn(config), this.#prefixes.otherNodes(config)];
    this.#terms = { config, mtu: chooseMtu(config, network), network, foreign, otherNodes };
    this.#termsKnown.resolve();
  }

  /**
   * A server that is away for long keeps no pod from starting anew on a node whose agent was restarted meanwhile. One
   * that answers, only slowly, should be heard: its NodeConfig may be another one by now.
   */
  #isServerLate(): boolean {
    return this.deps.clock.monotonic() - this.#startedAt >= SERVER_LATE_MS;
  }

  /** @returns undefined when nothing was heard and nothing is remembered */
  #resolve(network: HostNetwork, { synced }: { synced: boolean }): NodeConfigResolution | undefined {
    const { nodeConfigs, nodeName } = this.deps;
    const inForce = this.#remembered;
    const podAddresses = this.#podAddresses();
    if (synced) return resolveNodeConfig({ nodeName, readings: nodeConfigs.items, network, inForce, podAddresses });
    return inForce === undefined ? undefined : resolveUnheard(inForce);
  }

  #podAddresses(): Map<string, string> {
    return new Map(
      this.deps.ledger.all().flatMap((each) =>
        [...addressesOf(each), ...anycastOf(each)].map(({ text }) => [text, nameOf(each)])
      ),
    );
  }

  /**
   * The part of a pass that a pod's coming and going can change: what is advertised. Costs no process.
   *
   * @throws what the kernel lacks
   */
  async announce(): Promise<void> {
    const basis = this.#basis;
    if (basis !== undefined) await runEach([() => this.#serveFamilies(basis), () => this.#announce(basis)]);
  }

  /** A pod may have an address of its own of a family that the node has no CIDR of. */
  async #serveFamilies({ config, network }: Basis): Promise<void> {
    const served = this.#hostState?.families ?? [];
    if (this.#families(config).some((family) => !served.includes(family))) await this.#applyHost(config, network);
  }

  #families({ cidr6, cidr4 }: NodeConfig): readonly Family[] {
    const all = this.deps.ledger.all();
    return FAMILIES.filter((family) =>
      (family === 6 ? cidr6 : cidr4).length > 0 || all.some((each) => primaryOf(each, family) !== undefined)
    );
  }

  async #announce(basis: Basis): Promise<void> {
    const { failure, ...announcement } = await this.deps.announcer.announce(basis);
    const { bird } = announcement;
    const before = this.#view?.bird;
    this.#view = { resolution: basis.resolution, ...announcement };
    if (!bird.applied && JSON.stringify(before) !== JSON.stringify(bird)) {
      this.deps.logger.warn("BIRD configuration not in force", { reason: bird.reason, state: bird.message });
    }
    if (failure !== undefined) throw failure;
  }

  /** Puts back what others changed of the routes to anycast addresses. */
  async repairRoutes(): Promise<void> {
    this.deps.announcer.doubt();
    await this.announce();
  }

  /**
   * Puts back what others changed of the pods' packet paths. Routes to anycast addresses, which go over them, are
   * looked at next.
   */
  async repairLinks(): Promise<void> {
    this.deps.announcer.doubt();
    await runEach([() => this.deps.restorer.restore(), () => this.#repairPaths()]);
  }

  async #repairPaths(): Promise<void> {
    const { driver, ledger, logger } = this.deps;
    const committed = ledger.all().filter(({ state }) => state === "committed");
    const { mended, left } = await driver.repair(committed.map(attachmentOf));
    for (const what of mended) logger.warn(REPAIRED, { what, part: "links" });
    if (left.length > 0) throw new Error(`Cannot mend pods' paths: ${left.join("; ")}`);
  }

  /** @param options whether others are known to have touched the packet guard's tables */
  async repairGuard(options: { touched: boolean }): Promise<void> {
    await this.#guard.repair(options);
  }

  /** A disk that refuses is no reason not to serve: the memory of this process holds. */
  async #remember(config: NodeConfig): Promise<void> {
    if (config === this.#remembered) return;
    this.#remembered = config;
    try {
      await this.deps.memory.save(config);
    } catch (error) {
      this.deps.logger.warn("NodeConfig in force not remembered", { error: String(error) });
    }
  }

  #note(resolution: NodeConfigResolution): void {
    const before = this.#resolution?.verdict;
    this.#resolution = resolution;
    const { reason, message } = resolution.verdict;
    if (before?.reason !== reason || before.message !== message) {
      this.deps.logger.info("NodeConfig", { reason, state: message });
    }
  }

  async #applyHost(config: NodeConfig, network: HostNetwork): Promise<void> {
    const blackholes = [...config.cidr6, ...config.cidr4];
    const [before, wanted] = [this.#hostState, { blackholes, families: this.#families(config) }];
    this.#hostState = wanted;
    const { changed, left } = await this.deps.host.apply(wanted, network);
    const message = before !== undefined && isSameState(before, wanted) ? NODE_CHANGED : NODE_MADE;
    for (const what of changed) this.deps.logger.info(message, { what, part: "node" });
    if (left.length > 0) throw new Error(`Cannot make the node what it should be: ${left.join("; ")}`);
  }
}

function isSameState(a: HostState, b: HostState): boolean {
  const textOf = ({ blackholes, families }: HostState): string =>
    [...blackholes.map(({ text }) => text), ...families].join();
  return textOf(a) === textOf(b);
}
