import type { Clock } from "../clock/clock.ts";
import { type Address, parseAddress } from "../ip/address.ts";
import { type Allocation, allocationKey } from "../ipam/allocation.ts";
import type { FamilyRequest, Ipam } from "../ipam/ipam.ts";
import { type Claims, NO_CLAIMS } from "../pod/claims.ts";
import type { RestingAddress, State, StateStore, Tombstone } from "../store/state.ts";
import { AddressBook } from "./address_book.ts";
import { type AddressFields, fieldsOf, type MoreAddresses, pooledOf, withClaims } from "./allocation_addresses.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import type { PoolUse } from "./node_conditions.ts";
import { AllocationAges } from "./allocation_ages.ts";
import { DeletionMemory, TOMBSTONE_MS } from "./deletion_memory.ts";

/** An allocation before it has addresses. */
export type AllocationDraft = Omit<Allocation, keyof AddressFields | "state" | "createdAt">;

/** What an ADD asks of the ledger. */
export interface Reservation {
  readonly requests: readonly FamilyRequest[];
  /** Default: none. */
  readonly claims?: Claims;
  /** Others' addresses, which the pool does not give. */
  readonly foreign: readonly Address[];
  /** When the ADD's plugin started, monotonic milliseconds. */
  readonly startedAt: number;
}

/** The one place where IPAM in memory and the durable state change, so that they always agree (spec section 4). */
export class AllocationLedger {
  /** Addresses of containers that are being deleted -> since when. */
  readonly #dying = new Map<string, number>();
  readonly #ages: AllocationAges;
  readonly #deletions: DeletionMemory;
  readonly #addresses: AddressBook;
  /** address -> its rest as it was read, with what a newer release says of it */
  readonly #annotatedRests = new Map<string, RestingAddress>();

  constructor(private readonly store: StateStore, private readonly ipam: Ipam, private readonly clock: Clock) {
    this.#ages = new AllocationAges(clock);
    this.#deletions = new DeletionMemory(clock);
    this.#addresses = new AddressBook(ipam);
    const state = store.current();
    for (const [cidr, last] of state.cursors) {
      const address = parseAddress(last);
      if (address !== undefined) ipam.setCursor(cidr, address);
    }
    for (const rest of state.resting) {
      const address = parseAddress(rest.address);
      if (address !== undefined) ipam.release(address, rest.freedAt);
      if (Object.keys(rest).length > 2) this.#annotatedRests.set(rest.address, rest);
    }
    for (const allocation of state.allocations.values()) this.#addresses.restore(allocation);
    for (const allocation of state.allocations.values()) this.#ages.restore(allocation);
    for (const stone of state.tombstones) this.#deletions.note(allocationKey(stone), stone.until - TOMBSTONE_MS);
  }

  get(key: string): Allocation | undefined {
    return this.store.current().allocations.get(key);
  }

  all(): Allocation[] {
    return [...this.store.current().allocations.values()];
  }

  /** @returns how much of each of its CIDRs is in use; none when there is no NodeConfig */
  pools(config: Pick<NodeConfig, "cidr6" | "cidr4"> | undefined): PoolUse[] {
    const cidrs = config === undefined ? [] : [...config.cidr6, ...config.cidr4];
    return cidrs.map((cidr) => ({ cidr, ...this.ipam.usage(cidr) }));
  }

  /** @returns milliseconds since the allocation was recorded; 0 for one that is not */
  ageOf(allocation: Allocation): number {
    return this.#ages.ageOf(allocation);
  }

  /** @returns milliseconds since its ADD's plugin started, as that plugin said: nothing may be freed for it */
  sinceStart(allocation: Allocation): number {
    return this.#ages.sinceStart(allocation);
  }

  /** @returns the allocation that uses this host link, if any: names are hashes, and hashes collide */
  holderOf(hostLink: string): Allocation | undefined {
    return this.all().find((allocation) => allocation.hostLink === hostLink);
  }

  /**
   * Takes addresses and records them as pending; durable when it resolves, so the kernel may be touched.
   *
   * @throws AddressTaken, PoolExhausted, or StateWriteFailed; nothing is taken then
   */
  async reserve(
    draft: AllocationDraft,
    { requests, claims = NO_CLAIMS, foreign, startedAt }: Reservation,
  ): Promise<{ allocation: Allocation; warnings: readonly string[] }> {
    const own = fieldsOf(claims);
    const { ipv6, ipv4, warnings } = this.#addresses.allocate(requests, { claimed: own, foreign });
    const allocation: Allocation = {
      ...draft,
      ...(ipv6 === undefined ? {} : { ipv6: ipv6.text }),
      ...(ipv4 === undefined ? {} : { ipv4: ipv4.text }),
      ...own,
      state: "pending",
      createdAt: this.clock.wall(),
    };
    this.#ages.begin(draft, startedAt);
    try {
      await this.#put(allocation);
    } catch (error) {
      this.#addresses.change(allocation, {});
      await this.#remove(allocation).catch(() => {});
      throw error;
    }
    return { allocation, warnings };
  }

  /**
   * Gives an allocation other secondary, anycast and loose addresses: takes what it gets, and frees what it has in none
   * of the three.
   *
   * @param allocation one that is recorded
   * @returns the record as it is now. @throws AddressTaken, with nothing changed; StateWriteFailed, the memory has
   * changed all the same
   */
  async reclaim(allocation: Allocation, claims: MoreAddresses): Promise<Allocation> {
    const recorded = this.get(allocationKey(allocation)) ?? allocation; // it may know better whether the pod is Ready
    const next = withClaims(recorded, claims);
    this.#addresses.change(recorded, next);
    await this.#put(next);
    return next;
  }

  /** Remembers whether the allocation's pod is Ready, for an agent that cannot ask. @throws StateWriteFailed */
  async noteReady(allocation: Allocation, ready: boolean): Promise<void> {
    if (this.get(allocationKey(allocation)) === allocation) await this.#put({ ...allocation, ready });
  }

  /**
   * Marks a reserved allocation as done; durable when it resolves.
   *
   * @throws StateWriteFailed; the allocation is pending then
   */
  async commit(allocation: Allocation): Promise<Allocation> {
    const committed: Allocation = { ...allocation, state: "committed" };
    try {
      await this.#put(committed);
    } catch (error) {
      this.#put(allocation).catch(() => {});
      throw error;
    }
    return committed;
  }

  /**
   * Records an attachment that was found in the kernel without a record. An address that another record has stays with
   * that one: a file in which two have it would be damaged. No deletion of it was done to the end, whatever the state
   * says: see `isAddedAfter`.
   *
   * @throws StateWriteFailed; the memory has it all the same, here and in `confirm`
   */
  async adopt({ ipv6, ipv4, secondary = [], ...found }: Allocation): Promise<void> {
    const [free6, free4] = [ipv6, ipv4].map((text) => this.#takeText(text) ? text : undefined);
    const more = secondary.filter((text) => this.#takeText(text));
    this.#addresses.restore({ anycast: found.anycast ?? [] });
    await this.#putUndeleted({
      ...found,
      ...(free6 === undefined ? {} : { ipv6: free6 }),
      ...(free4 === undefined ? {} : { ipv4: free4 }),
      ...(more.length === 0 ? {} : { secondary: more }),
    });
  }

  /** Marks an allocation as done whose ADD may have been answered. @throws StateWriteFailed */
  async confirm(allocation: Allocation): Promise<void> {
    await this.#put({ ...allocation, state: "committed" });
  }

  /** Gives none of these to anybody as long as this process lives: somebody uses them of whom nothing else is known. */
  keepBack(addresses: readonly Address[]): void {
    for (const address of addresses) this.ipam.take(address);
  }

  /**
   * Forgets an allocation; its addresses rest. The memory forgets even when the disk refuses.
   *
   * @throws StateWriteFailed
   */
  async drop(allocation: Allocation): Promise<void> {
    const recorded = this.get(allocationKey(allocation));
    if (recorded !== undefined) this.#addresses.release(recorded, this.clock.wall());
    await this.#remove(allocation);
  }

  /**
   * Forgets a container's allocation, if it has one, and remembers that it was deleted; one write for both. Its
   * addresses rest from now on, but stay in use until `gone` resolves: the kernel still has them.
   *
   * @param deleted the container; `gone` settles when its link is gone, or rejects when the kernel keeps it: then it
   * stays recorded
   * @throws StateWriteFailed; the memory has changed all the same
   */
  async bury(deleted: { containerId: string; ifname: string; at: number; gone: Promise<unknown> }): Promise<void> {
    const { at, gone, ...container } = deleted;
    const stone: Tombstone = { ...container, until: at + TOMBSTONE_MS };
    const key = allocationKey(container);
    const allocation = this.get(key);
    this.#deletions.note(key, at);
    const [freedAt, begunAt] = [this.clock.wall(), this.clock.monotonic()];
    for (const { text } of pooledOf(allocation ?? {})) this.#dying.set(text, freedAt);
    const written = this.#update((state) => ({
      ...without(state, key),
      tombstones: [...state.tombstones.filter((other) => allocationKey(other) !== key), stone],
    }));
    const [kernel] = await Promise.allSettled([gone, written]);
    if (allocation !== undefined) await this.#settle(allocation, { begunAt, gone: kernel.status === "fulfilled" });
    await written;
  }

  /** Writes what the disk refused before; free when there is nothing. @throws StateWriteFailed */
  async flush(): Promise<void> {
    await this.store.update((state) => state);
  }

  /**
   * Tells a container that was added again from one whose deletion was only begun. The state may have both a deletion
   * and a record only where the ADD came later: a record that was put back, or adopted, because the kernel had kept its
   * link, has no deletion beside it. No clock is asked.
   *
   * @param deletion one that arrived at that time by the wall clock
   * @returns whether it was done, and the container added after it; false when it is forgotten, or was not the last one
   */
  isAddedAfter({ at, ...container }: { containerId: string; ifname: string; at: number }): boolean {
    const key = allocationKey(container);
    const { allocations, tombstones } = this.store.current();
    return allocations.get(key)?.state === "committed" &&
      tombstones.some((stone) => stone.until === at + TOMBSTONE_MS && allocationKey(stone) === key);
  }

  /** @returns when the container was last deleted, monotonic milliseconds; undefined when it was not, or long ago */
  deletedAt(key: string): number | undefined {
    return this.#deletions.deletedAt(key);
  }

  /**
   * What the kernel has kept is still in use, and recorded again for whoever tries next. When the rest of the others
   * began is told by the wall clock as it goes now: somebody may have set it since.
   */
  async #settle(allocation: Allocation, { begunAt, gone }: { begunAt: number; gone: boolean }): Promise<void> {
    for (const { text } of pooledOf(allocation)) this.#dying.delete(text);
    if (!gone) return await this.#putUndeleted(allocation);
    this.#ages.forget(allocation);
    const age = Math.round(this.clock.monotonic() - begunAt);
    this.#addresses.release(allocation, this.clock.wall() - age);
  }

  #put(allocation: Allocation): Promise<void> {
    this.#ages.note(allocation);
    return this.#update((state) => withAllocation(state, allocation));
  }

  /** Of an attachment that the kernel has although it was to be deleted, or may have been. */
  #putUndeleted(allocation: Allocation): Promise<void> {
    const key = allocationKey(allocation);
    this.#ages.note(allocation);
    return this.#update((state) => ({
      ...withAllocation(state, allocation),
      tombstones: state.tombstones.filter((stone) => allocationKey(stone) !== key),
    }));
  }

  #remove(allocation: Allocation): Promise<void> {
    this.#ages.forget(allocation);
    return this.#update((state) => without(state, allocationKey(allocation)));
  }

  /** Every write carries what IPAM remembers, and leaves behind the tombstones that nobody needs any more. */
  #update(change: (state: State) => State): Promise<void> {
    return this.store.update((state) => {
      const next = change(state);
      const isRemembered = this.#deletions.remembered();
      return {
        ...next,
        tombstones: next.tombstones.filter((stone) => isRemembered(allocationKey(stone))),
        resting: [...this.ipam.resting(), ...this.#restingSoon()].map((rest) => this.#asRead(rest)),
        cursors: this.ipam.cursors(),
      };
    });
  }

  #restingSoon(): RestingAddress[] {
    return Array.from(this.#dying, ([address, freedAt]) => ({ address, freedAt }));
  }

  #asRead(rest: RestingAddress): RestingAddress {
    const read = this.#annotatedRests.get(rest.address);
    return read?.freedAt === rest.freedAt ? read : rest;
  }

  #takeText(text: string | undefined): boolean {
    const address = text === undefined ? undefined : parseAddress(text);
    return address !== undefined && this.ipam.take(address);
  }
}

function withAllocation(state: State, allocation: Allocation): State {
  return { ...state, allocations: new Map(state.allocations).set(allocationKey(allocation), allocation) };
}

function without(state: State, key: string): State {
  const allocations = new Map(state.allocations);
  allocations.delete(key);
  return { ...state, allocations };
}
