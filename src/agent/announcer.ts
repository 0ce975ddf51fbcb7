import { type AnycastClaim, type AnycastDecision, resolveAnycast } from "../anycast/resolve_anycast.ts";
import type { ServiceRoute } from "../anycast/service_route.ts";
import type { BirdConfig } from "../bgp/bird_config.ts";
import { limitAnnounced } from "../bgp/limit_announced.ts";
import { renderBird } from "../bgp/render_bird.ts";
import { resolveBirdConfig } from "../bgp/resolve_bird_config.ts";
import type { BirdDriver, BirdOutcome } from "../bird/bird_driver.ts";
import type { PasswordFiles } from "../bird/password_files.ts";
import type { Clock } from "../clock/clock.ts";
import type { HostNetwork } from "../host/host_driver.ts";
import type { Allocation } from "../ipam/allocation.ts";
import type { Watched } from "../kube/kube_client.ts";
import type { Logger } from "../log/logger.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import type { Pod } from "../pod/pod.ts";
import { type RouteDriver, RoutesIncomplete } from "../route/route_driver.ts";
import { addressesOf, anycastOf } from "./allocation_addresses.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { REPAIRED } from "./journal.ts";
import { LingeringRoutes } from "./lingering_routes.ts";
import { podOf } from "./pod_of.ts";
import { readPasswords } from "./read_passwords.ts";
import type { SessionTrial } from "./session_trial.ts";

export interface AnnouncerDependencies {
  readonly nodeName: string;
  readonly ledger: AllocationLedger;
  /** The pods of this node. */
  readonly pods: Pick<Watched<Pod>, "synced" | "items">;
  readonly routes: Pick<RouteDriver, "apply" | "doubt">;
  readonly bird: BirdDriver;
  readonly passwords: Pick<PasswordFiles, "read">;
  readonly trial: Pick<SessionTrial, "choose" | "applied" | "problem">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Asks for another announcement. */
  addressesChanged(): void;
}

/** What the node tells its routers. */
export interface Announcement {
  /** Sorted texts. */
  readonly advertised: readonly string[];
  readonly bird: BirdOutcome;
  readonly anycast: readonly AnycastDecision[];
  /** Why sessions are not as the NodeConfig has them; absent: they are. */
  readonly bgpProblems?: readonly string[];
  /** What an operator should know; absent: nothing. */
  readonly warnings?: readonly string[];
  /** What could not be put into the kernel; all else is done and told. */
  readonly failure?: RoutesIncomplete;
}

/** What does not depend on pods. */
export interface AnnouncementBasis {
  readonly config: NodeConfig;
  readonly network: HostNetwork;
}

/** Keeps routes to anycast addresses and BIRD's configuration what the pods that live now make of them (spec sections 7 and 8). */
export class Announcer {
  readonly #lingering: LingeringRoutes;
  /** What routers were last told of anycast addresses; undefined: by an agent before this one. */
  #told: readonly ServiceRoute[] | undefined;
  /** Single addresses as last given to BIRD. */
  #announced: ReadonlySet<string> = new Set();
  /** Whether BIRD is in force as it was last to be. */
  #isHeard = true;
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly deps: AnnouncerDependencies) {
    this.#lingering = new LingeringRoutes(deps.clock);
  }

  /**
   * One level-triggered pass; passes go one after the other. A route is in the kernel before routers hear of its address, and stays for
   * a while after they have heard of its end.
   *
   * Of addresses that no route leads to nobody is told, whatever becomes of the others: one pod that takes its link down must not keep
   * those of its neighbours from coming and going.
   *
   * @throws what kept the kernel from being asked, when all else is done; then nothing new is told
   */
  announce(basis: AnnouncementBasis): Promise<Announcement> {
    const pass = this.#last.then(() => this.#announce(basis));
    this.#last = pass.catch(() => {});
    return pass;
  }

  /** The kernel's routes may be other than they were left: the next pass looks. */
  doubt(): void {
    this.deps.routes.doubt();
  }

  async #announce(basis: AnnouncementBasis): Promise<Announcement> {
    const { ledger } = this.deps;
    const allocations = ledger.all();
    const states = new Map(allocations.map((allocation) => [allocation, this.#podState(allocation)]));
    const { routes, decisions } = resolveAnycast(
      allocations.map((each) => claimOf(each, states.get(each) ?? "unknown")),
    );
    const { failure, unread } = await this.#applyRoutes(routes, allocations);
    if (unread !== undefined && this.#told === undefined) throw unread;
    const told = routes.filter((route) => unread === undefined ? isMade(route, failure) : this.#isTold(route));
    const { birdConfig, problems, warnings } = this.#birdConfig(basis, { allocations, anycast: told });
    const bird = await this.#tellBird(birdConfig);
    const bgpProblems = [...problems, ...[this.deps.trial.problem].filter((problem) => problem !== undefined)];
    this.#told = told;
    this.#remember(states);
    if (unread !== undefined) throw unread;
    const advertised = [...birdConfig.aggregates, ...birdConfig.hostRoutes, ...birdConfig.anycastRoutes].map((
      { text },
    ) => text).sort();
    const anycast = decisions.map((decision) => withoutRoute(decision, failure));
    return {
      ...{ advertised, bird, anycast },
      ...(bgpProblems.length > 0 && { bgpProblems }),
      ...(warnings.length > 0 && { warnings }),
      ...(failure !== undefined && { failure }),
    };
  }

  /** @throws when the file cannot be written: BIRD goes on with the one before, and routers with what it says */
  async #tellBird(config: BirdConfig): Promise<BirdOutcome> {
    this.#isHeard = false;
    const outcome = await this.deps.bird.apply(renderBird(config));
    this.#isHeard = outcome.applied;
    if (outcome.applied) this.deps.trial.applied(config);
    return outcome;
  }

  async #applyRoutes(
    routes: readonly ServiceRoute[],
    allocations: readonly Allocation[],
  ): Promise<{ failure?: RoutesIncomplete; unread?: unknown }> {
    const claimed = new Set(
      allocations.flatMap((each) => anycastOf(each).map(({ text }) => `${each.hostLink} ${text}`)),
    );
    const lingering = this.#lingering.after(this.#told ?? toldBefore(allocations), {
      routes,
      isHeard: this.#isHeard,
      isClaimed: (link, text) => claimed.has(`${link} ${text}`),
    });
    if (lingering.started) this.#ringAfter(lingering.endsIn);
    try {
      for (const what of await this.deps.routes.apply([...routes, ...lingering.routes])) {
        this.deps.logger.warn(REPAIRED, { what, part: "routes" });
      }
      return {};
    } catch (error) {
      return error instanceof RoutesIncomplete ? { failure: error } : { unread: error };
    }
  }

  #ringAfter(ms: number): void {
    void this.deps.clock.sleep(ms).then(() => this.deps.addressesChanged());
  }

  #isTold({ address }: ServiceRoute): boolean {
    return this.#told?.some((route) => route.address.text === address.text) === true;
  }

  #birdConfig(
    { config, network }: AnnouncementBasis,
    { allocations, anycast }: { allocations: readonly Allocation[]; anycast: readonly ServiceRoute[] },
  ): { birdConfig: BirdConfig; problems: readonly string[]; warnings: readonly string[] } {
    const committed = allocations.filter(({ state }) => state === "committed");
    const { passwords, problems } = readPasswords(config.bgp?.peers ?? [], this.deps.passwords);
    const wanted = resolveBirdConfig({
      ...{ config, network, passwords, nodeName: this.deps.nodeName },
      liveAddresses: committed.flatMap(addressesOf),
      anycast: anycast.map(({ address }) => address),
    });
    const { routerId, peers } = this.deps.trial.choose(wanted);
    const max = config.bgp?.maxAnnounced;
    const { config: birdConfig, left } = limitAnnounced({ ...wanted, routerId, peers }, {
      ...{ max, announced: this.#announced },
    });
    this.#announced = new Set([...birdConfig.hostRoutes, ...birdConfig.anycastRoutes].map(({ text }) => text));
    const warnings = left === 0 ? [] : [`more than ${max} addresses to announce: the others are left out`];
    return { birdConfig, problems, warnings };
  }

  /** An agent that cannot ask the API server since it started goes by what the last one knew. */
  #podState(allocation: Allocation): AnycastClaim["pod"] {
    if (allocation.anycast === undefined) return "unknown"; // and nobody asks
    const { synced, items } = this.deps.pods;
    const pod = podOf(allocation, items);
    if (pod !== undefined) return pod.terminating ? "terminating" : pod.ready ? "ready" : "notReady";
    if (synced) return "unknown";
    return allocation.ready === true ? "ready" : "notReady";
  }

  /** Off the path of what routers wait for. What the disk refuses now is written with the next change. */
  #remember(states: ReadonlyMap<Allocation, AnycastClaim["pod"]>): void {
    const { ledger, logger } = this.deps;
    for (const [allocation, state] of states) {
      const ready = state === "ready";
      if (allocation.anycast === undefined || (allocation.ready ?? false) === ready) continue;
      ledger.noteReady(allocation, ready).catch((error: unknown) =>
        logger.warn("readiness not remembered", { container: allocation.containerId, error: String(error) })
      );
    }
  }
}

/** What the agent before this one told of, as far as it has noted. */
function toldBefore(allocations: readonly Allocation[]): readonly ServiceRoute[] {
  return resolveAnycast(allocations.map((each) => claimOf(each, each.ready === true ? "ready" : "notReady"))).routes;
}

function isMade({ address }: ServiceRoute, failure: RoutesIncomplete | undefined): boolean {
  return failure?.unmade.has(address.text) !== true;
}

function withoutRoute(decision: AnycastDecision, failure: RoutesIncomplete | undefined): AnycastDecision {
  if (!decision.serves || failure?.unmade.has(decision.address.text) !== true) return decision;
  return { ...decision, serves: false, reason: "noRoute" };
}

function claimOf(allocation: Allocation, pod: AnycastClaim["pod"]): AnycastClaim {
  const { pod: identity, containerId, hostLink, state } = allocation;
  return {
    owner: identity === undefined ? containerId : `${identity.namespace}/${identity.name}`,
    ...{ link: hostLink, state, pod },
    unicast: addressesOf(allocation),
    anycast: anycastOf(allocation),
  };
}
