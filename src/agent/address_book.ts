import type { Address } from "../ip/address.ts";
import type { FamilyRequest, Grant, Ipam } from "../ipam/ipam.ts";
import { addressesOf, type AddressFields, anycastOf, looseOf, pooledOf } from "./allocation_addresses.ts";

/** Somebody has an address that was claimed, or had it until a moment ago. */
export class AddressTaken extends Error {
  override readonly name = "AddressTaken";
}

/** Which addresses are in use: those from the pool, which rest when they are freed, and claimed ones, which do not and may be shared. */
export class AddressBook {
  /** anycast address -> how many have it, those that are being deleted included */
  readonly #sharers = new Map<string, number>();

  constructor(private readonly ipam: Ipam) {}

  /**
   * Takes what is claimed and gives what is asked of the pool, all or nothing. Of the pool nobody gets what is foreign; who claims it does:
   * a pod that moves here may still be answering elsewhere.
   *
   * @throws AddressTaken, PoolExhausted
   */
  allocate(
    requests: readonly FamilyRequest[],
    { claimed, foreign }: { claimed: AddressFields; foreign: readonly Address[] },
  ): Grant {
    this.change({}, claimed);
    const keptBack = foreign.filter((address) => this.ipam.take(address));
    try {
      return this.ipam.allocate(requests);
    } catch (error) {
      this.change(claimed, {});
      throw error;
    } finally {
      for (const address of keptBack) this.ipam.undo(address);
    }
  }

  /** Takes what a record has that was read at start, as far as nobody else has it. */
  restore(fields: AddressFields): void {
    const { own, shared } = usedBy(fields);
    for (const address of own) this.ipam.take(address);
    for (const address of shared) this.#share(address);
  }

  /**
   * Takes what is new, and frees what is no more: of that nothing rests, since it was claimed or nobody ever used it. All or nothing. An
   * anycast address may be others' as well.
   *
   * @throws AddressTaken
   */
  change(before: AddressFields, after: AddressFields): void {
    const [had, has] = [usedBy(before), usedBy(after)];
    this.#take({ own: lacking(has.own, had.own), shared: lacking(has.shared, had.shared) });
    this.#free({ own: lacking(had.own, has.own), shared: lacking(had.shared, has.shared) });
  }

  /** Frees all; what came from the pool rests. @param freedAt wall clock, milliseconds since the epoch */
  release(fields: AddressFields, freedAt: number): void {
    const { own, shared } = usedBy(fields);
    const pooled = pooledOf(fields);
    for (const address of pooled) this.ipam.release(address, freedAt);
    this.#free({ own: lacking(own, pooled), shared });
  }

  #take({ own, shared }: Used): void {
    const taken: { own: Address[]; shared: Address[] } = { own: [], shared: [] };
    try {
      for (const address of own) {
        if (!this.ipam.take(address)) throw takenError(address);
        taken.own.push(address);
      }
      for (const address of shared) {
        if (!this.#share(address)) throw takenError(address);
        taken.shared.push(address);
      }
    } catch (error) {
      this.#free(taken);
      throw error;
    }
  }

  #free({ own, shared }: Used): void {
    for (const address of own) this.ipam.undo(address);
    for (const address of shared) this.#unshare(address);
  }

  /** @returns false where it is somebody's own */
  #share(address: Address): boolean {
    const sharers = this.#sharers.get(address.text) ?? 0;
    if (sharers === 0 && !this.ipam.take(address)) return false;
    this.#sharers.set(address.text, sharers + 1);
    return true;
  }

  #unshare(address: Address): void {
    const sharers = this.#sharers.get(address.text) ?? 0;
    if (sharers > 1) return void this.#sharers.set(address.text, sharers - 1);
    if (this.#sharers.delete(address.text)) this.ipam.undo(address);
  }
}

interface Used {
  readonly own: readonly Address[];
  readonly shared: readonly Address[];
}

function usedBy(fields: AddressFields): Used {
  const { own, shared } = looseOf(fields);
  return { own: unique([...addressesOf(fields), ...own]), shared: unique([...anycastOf(fields), ...shared]) };
}

function unique(addresses: readonly Address[]): Address[] {
  return [...new Map(addresses.map((address) => [address.text, address])).values()];
}

function lacking(addresses: readonly Address[], others: readonly Address[]): Address[] {
  const texts = new Set(others.map(({ text }) => text));
  return addresses.filter(({ text }) => !texts.has(text));
}

function takenError({ text }: Address): AddressTaken {
  return new AddressTaken(`Cannot take ${text}: it is in use, or was until a moment ago`);
}
