import type { ServiceHop, ServiceRoute } from "../../src/anycast/service_route.ts";
import { type Address, parseAddress } from "../../src/ip/address.ts";
import { type RouteDriver, RoutesIncomplete } from "../../src/route/route_driver.ts";

const name = ({ via, link }: ServiceHop): string => `${via.text} dev ${link}`;

/** A next hop as the kernel has it: of the link that had this name then. */
interface MemoryHop extends ServiceHop {
  readonly of: unknown;
}

/**
 * The kernel's side of anycast routes; it outlives the process that made them. A link that goes takes its hops along.
 */
export class MemoryRouteTable {
  // address -> its hops
  readonly #routes = new Map<string, readonly MemoryHop[]>();

  /** @param links those that are there, by name; one that is made anew is another value */
  constructor(private readonly links: ReadonlyMap<string, unknown>) {}

  /** address -> `via dev link` of each hop, sorted */
  show(): Record<string, string[]> {
    const there = [...this.#routes.keys()].map((address) => [address, this.hopsOf(address)] as const);
    return Object.fromEntries(there.filter(([, hops]) => hops.length > 0));
  }

  /** link -> addresses that lead there */
  byLink(): ReadonlyMap<string, readonly Address[]> {
    const served = [...this.#routes.keys()].flatMap((text) => {
      const address = parseAddress(text);
      return address === undefined ? [] : this.#alive(text).map(({ link }) => ({ link, address }));
    });
    const byLink = Map.groupBy(served, ({ link }) => link);
    return new Map([...byLink].map(([link, each]) => [link, each.map(({ address }) => address)]));
  }

  /** `via dev link`, sorted. */
  hopsOf(address: string): string[] {
    return this.#alive(address).map(name).sort();
  }

  /** @returns the hops that have no link */
  set({ address, hops }: ServiceRoute): readonly ServiceHop[] {
    const alive = this.#alive(address.text);
    const fresh = hops.flatMap((hop) => this.links.has(hop.link) ? [{ ...hop, of: this.links.get(hop.link) }] : []);
    this.#routes.set(address.text, fresh.length > 0 ? fresh : alive);
    return hops.filter(({ link }) => !this.links.has(link));
  }

  /** As somebody else does, too. */
  remove(address: string): void {
    this.#routes.delete(address);
  }

  #alive(address: string): readonly MemoryHop[] {
    return this.#routes.get(address)?.filter(({ link, of }) => this.links.has(link) && this.links.get(link) === of) ??
      [];
  }
}

/** A RouteDriver without a kernel: one process's. Held to the real driver's contract. */
export class MemoryRoutes implements RouteDriver {
  // address -> its hops as this process left them
  #left = new Map<string, readonly string[]>();
  #doubted = true;
  /** How often the kernel was read. */
  looks = 0;
  /** How many routes were set or removed. */
  changes = 0;
  failWith: Error | undefined;

  constructor(private readonly table: MemoryRouteTable) {}

  apply(routes: readonly ServiceRoute[]): Promise<readonly string[]> {
    if (this.failWith !== undefined) return Promise.reject(this.failWith);
    const strange = routes.flatMap(({ hops }) => hops).find(({ link }) => !/^flock[0-9a-f]{8}$/.test(link));
    if (strange !== undefined) return Promise.reject(new Error(`Cannot set routes: "${strange.link}" is no host link`));
    const phrases = this.#doubted ? this.#look(routes) : [];
    const failures = this.#make(routes);
    if (failures.length === 0) return Promise.resolve(phrases);
    this.#doubted = true;
    const unmade = routes.filter(({ address }) => this.table.hopsOf(address.text).length === 0);
    const texts = new Set(unmade.map(({ address }) => address.text));
    return Promise.reject(new RoutesIncomplete(`Cannot set routes: ${failures.join("; ")}`, texts));
  }

  doubt(): void {
    this.#doubted = true;
  }

  found(): Promise<ReadonlyMap<string, readonly Address[]>> {
    return Promise.resolve(this.table.byLink());
  }

  left(): ReadonlyMap<string, string> {
    return new Map([...this.#left].map(([address, hops]) => [`route ${address}`, hops.join()]));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #look(wanted: readonly ServiceRoute[]): string[] {
    this.#doubted = false;
    this.looks++;
    const [before, found] = [this.#left, new Map(Object.entries(this.table.show()))];
    this.#left = found;
    const addresses = wanted.map(({ address }) => address.text);
    return [
      ...wanted.flatMap(({ address, hops }) =>
        hops.map(name).filter((hop) =>
          before.get(address.text)?.includes(hop) && !found.get(address.text)?.includes(hop)
        )
          .map((hop) => `next hop ${hop} of ${address.text} is missing`)
      ),
      ...[...found.keys()].filter((address) => !addresses.includes(address) && !before.has(address))
        .map((address) => `route to ${address} was left over`),
    ];
  }

  #make(routes: readonly ServiceRoute[]): string[] {
    const failures = routes.flatMap((route) => {
      const hops = route.hops.map(name).sort();
      if (this.#left.get(route.address.text)?.join() === hops.join()) return [];
      this.changes++;
      const failed = this.table.set(route);
      this.#left.set(route.address.text, hops);
      return failed.map((hop) => `next hop ${name(hop)}`);
    });
    const unwanted = [...this.#left.keys()].filter((left) => !routes.some(({ address }) => address.text === left));
    for (const address of unwanted) {
      this.changes++;
      this.table.remove(address);
      this.#left.delete(address);
    }
    return failures;
  }
}
