/**
 * Routes to anycast addresses in the kernel, by way of iproute2: `ADDRESS nhid GROUP`, where the group, of one hop or
 * many, is changed in place, so that flows stay with the pods that stay. Ours after amnesia: nexthop objects of our own
 * protocol number, and routes of it that have one. The kernel takes a hop along when its link goes, goes down or has no
 * carrier; a group with its last hop; and a route, without a word where it is IPv4, with its group.
 */
import type { ServiceRoute } from "../anycast/service_route.ts";
import type { CommandRunner } from "../exec/command_runner.ts";
import { IpBatch } from "../exec/ip_batch.ts";
import { withoutMissing } from "../exec/without_missing.ts";
import type { Address } from "../ip/address.ts";
import type { Logger } from "../log/logger.ts";
import { adoptRoutes } from "./adopt_routes.ts";
import { describeDrift, type HopGroup, hopKey, tellRoutes, wantedHops } from "./kernel_routes.ts";
import { NexthopIds } from "./nexthop_ids.ts";
import { readRoutes, servedByLink } from "./read_routes.ts";
import { type RouteDriver, RoutesIncomplete } from "./route_driver.ts";
import {
  addGroup,
  addHop,
  changeGroup,
  checkLinks,
  type GroupKind,
  OBJECTS,
  probeLines,
  removeNexthop,
  removeRoute,
  setRoute,
} from "./route_lines.ts";

export interface RouteDriverOptions {
  readonly runner: CommandRunner;
  /** Absolute path of iproute2's ip. */
  readonly ip: string;
  readonly logger: Pick<Logger, "warn">;
}

/** @returns a driver; its persistent process starts with the first call */
export function createRouteDriver(options: RouteDriverOptions): RouteDriver {
  return new SystemRouteDriver(options);
}

class SystemRouteDriver implements RouteDriver {
  readonly #batch: IpBatch;
  readonly #ids = new NexthopIds();
  #kind: GroupKind = "resilient";
  #probed = false;
  /** What is in the kernel, for all that this driver knows. */
  #hops = new Map<string, readonly number[]>();
  #groups = new Map<string, HopGroup>();
  /** What is there beside it, and to be removed. */
  #strays: readonly string[] = [];
  #doubted = true;
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: RouteDriverOptions) {
    this.#batch = new IpBatch(options.runner, options.ip);
  }

  apply(routes: readonly ServiceRoute[]): Promise<readonly string[]> {
    const applied = this.#last.then(() => this.#applyNow(routes));
    this.#last = applied.catch(() => {});
    return applied;
  }

  doubt(): void {
    this.#doubted = true;
  }

  async found(): Promise<ReadonlyMap<string, readonly Address[]>> {
    return servedByLink(await readRoutes(this.options));
  }

  left(): ReadonlyMap<string, string> {
    return tellRoutes({ hops: this.#hops, groups: this.#groups });
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#batch.close();
  }

  /** What fails may have been forestalled, or meant a link that was made anew: it is looked at and tried once more. */
  async #applyNow(routes: readonly ServiceRoute[]): Promise<string[]> {
    checkLinks(routes);
    const phrases = this.#doubted ? await this.#look(routes) : [];
    let failures = await this.#make(routes);
    if (failures.length > 0) {
      phrases.push(...await this.#look(routes));
      failures = await this.#make(routes);
    }
    failures.push(...await this.#removeUnwanted(routes)); // last: make before break
    if (failures.length === 0) return phrases;
    this.#doubted = true;
    const unmade = routes.filter((route) => !this.#isMade(route)).map(({ address }) => address.text);
    throw new RoutesIncomplete(`Cannot set routes: ${failures.join("; ")}`, new Set(unmade));
  }

  #isMade({ address }: ServiceRoute): boolean {
    const group = this.#groups.get(address.text);
    return group?.routed === true && group.hops.some((key) => this.#hops.has(key));
  }

  /** @returns what is not as it was left */
  async #look(wanted: readonly ServiceRoute[]): Promise<string[]> {
    this.#doubted = false;
    try {
      this.#batch.renew(); // links may have been made anew
      const read = await readRoutes(this.options);
      this.#ids.setTaken(read.taken);
      await this.#probe();
      const left = { hops: this.#hops, groups: this.#groups };
      const { strays, ...found } = adoptRoutes(read, { left, wanted, kind: this.#kind });
      [this.#hops, this.#groups] = [new Map(found.hops), new Map(found.groups)];
      this.#strays = strays.map(({ line }) => line);
      return [...describeDrift({ left, found, wanted }), ...strays.map(({ phrase }) => phrase)];
    } catch (error) {
      this.#doubted = true;
      throw error;
    }
  }

  /** Finds out once what kind of groups there is. */
  async #probe(): Promise<void> {
    if (this.#probed) return;
    const [make, remove] = probeLines([this.#ids.take(), this.#ids.take()]);
    const failure = await this.#run(make);
    await this.#remove(remove);
    this.#probed = true;
    if (failure === "") return;
    this.#kind = "ordinary";
    this.options.logger.warn("no resilient groups: flows may move to another pod when a pod comes or goes", {
      failure,
    });
  }

  /** @returns what could not be made */
  async #make(routes: readonly ServiceRoute[]): Promise<string[]> {
    return [...await this.#addHops(routes), ...await this.#setGroups(routes)];
  }

  async #addHops(routes: readonly ServiceRoute[]): Promise<string[]> {
    const missing = [...wantedHops(routes)].filter(([key]) => !this.#hops.has(key));
    const failures = await Promise.all(missing.map(async ([key, hop]) => {
      const ids = Array.from({ length: OBJECTS[hop.via.family] }, () => this.#ids.take());
      const failure = await this.#run(ids.map((id) => addHop(id, hop)));
      if (failure !== "") return [`next hop ${key}: ${failure}`];
      this.#hops.set(key, ids);
      return [];
    }));
    return failures.flat();
  }

  async #setGroups(routes: readonly ServiceRoute[]): Promise<string[]> {
    const failures = await Promise.all(routes.map((route) => this.#setGroup(route)));
    return failures.flat();
  }

  /**
   * With the hops that could be made; without any it is left as it is, for #addHops() has told why. A group none of
   * whose hops stays may have gone with the last one's link, and the route with it.
   */
  async #setGroup({ address, hops }: ServiceRoute): Promise<string[]> {
    const before = this.#groups.get(address.text);
    const keys = hops.map(hopKey).filter((key) => this.#hops.has(key)).sort();
    const isSame = before !== undefined && before.hops.join() === keys.join();
    if (keys.length === 0 || (isSame && before.routed)) return [];
    const group = { address, id: before?.id ?? this.#ids.take(), hops: keys, routed: true };
    const isRouted = before?.routed === true && before.hops.some((key) => keys.includes(key));
    const members = keys.flatMap((key) => this.#hops.get(key) ?? []);
    const write = before === undefined ? addGroup : changeGroup;
    const failure = await this.#run([
      ...(isSame ? [] : [write(group.id, members, this.#kind)]),
      ...(isRouted ? [] : [setRoute(address, group.id)]),
    ]);
    if (failure !== "") return [`route to ${address.text}: ${failure}`];
    this.#groups.set(address.text, group);
    return [];
  }

  async #removeUnwanted(routes: readonly ServiceRoute[]): Promise<string[]> {
    const [addresses, hops] = [new Set(routes.map(({ address }) => address.text)), wantedHops(routes)];
    const groups = [...this.#groups.values()].filter(({ address }) => !addresses.has(address.text));
    const left = [...this.#hops].filter(([key]) => !hops.has(key));
    for (const { address } of groups) this.#groups.delete(address.text);
    for (const [key] of left) this.#hops.delete(key);
    const strays = this.#strays;
    this.#strays = [];
    const failure = await this.#remove([
      ...strays,
      ...groups.filter(({ routed }) => routed).map(({ address, id }) => removeRoute(address, id)),
      ...groups.map(({ id }) => removeNexthop(id)),
      ...left.flatMap(([, ids]) => ids).map(removeNexthop),
    ]);
    return failure === "" ? [] : [failure];
  }

  /** What is not there is fine. @returns what ip wrote about the others */
  async #remove(lines: readonly string[]): Promise<string> {
    return lines.length === 0 ? "" : withoutMissing(await this.#run(lines));
  }

  /** @returns what ip wrote about lines that failed */
  async #run(lines: readonly string[]): Promise<string> {
    try {
      return (await this.#batch.run(lines)).trim();
    } catch (error) {
      return String(error);
    }
  }
}
