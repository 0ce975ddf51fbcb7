import type { Address } from "../ip/address.ts";
import { type Allocation, allocationKey } from "../ipam/allocation.ts";
import type { FamilyRequest, Grant, Ipam } from "../ipam/ipam.ts";
import { addressesOf, type AddressFields, anycastOf, isClaimed } from "./allocation_addresses.ts";

/** Somebody has an address that was claimed, or had it until a moment ago. */
export class AddressTaken extends Error {
  override readonly name = "AddressTaken";
}

/** Which addresses are in use: those from the pool, which rest when they are freed, and claimed ones, which do not and may be shared. */
export class AddressBook {
  /** @param all the allocations as they are recorded: an anycast address is in use as long as one of them has it */
  constructor(private readonly ipam: Ipam, private readonly all: () => readonly Allocation[]) {}

  /** Takes what is claimed and gives what is asked of the pool, all or nothing. @throws AddressTaken, PoolExhausted */
  allocate(requests: readonly FamilyRequest[], claimed: AddressFields): Grant {
    this.take(claimed);
    try {
      return this.ipam.allocate(requests);
    } catch (error) {
      this.undo(claimed);
      throw error;
    }
  }

  /** All or nothing. An anycast address may be others' as well. @throws AddressTaken */
  take(claimed: AddressFields): void {
    const taken: Address[] = [];
    const shared = anycastOf(claimed);
    for (const address of [...addressesOf(claimed), ...shared]) {
      if (this.ipam.take(address)) taken.push(address);
      else if (!shared.includes(address) || !this.#isAnycast(address)) {
        for (const each of taken) this.ipam.undo(each);
        throw new AddressTaken(`Cannot take ${address.text}: it is in use, or was until a moment ago`);
      }
    }
  }

  /** Frees what nobody ever used, or was claimed: nothing rests. @param options `but` is the key of a record that counts no more */
  undo(fields: AddressFields, { but }: { but?: string } = {}): void {
    this.#free(fields, { free: (address) => this.ipam.undo(address), ...(but === undefined ? {} : { but }) });
  }

  /** Frees what was used. @param options `freedAt` is wall clock, milliseconds since the epoch; `but` as in `undo` */
  release(fields: AddressFields, { freedAt, but }: { freedAt: number; but?: string }): void {
    this.#free(fields, {
      free: (address) => this.ipam.release(address, freedAt),
      ...(but === undefined ? {} : { but }),
    });
  }

  #free(fields: AddressFields, { free, but }: { free: (address: Address) => void; but?: string }): void {
    for (const address of addressesOf(fields)) {
      if (isClaimed(fields, address)) this.ipam.undo(address);
      else free(address);
    }
    for (const address of anycastOf(fields)) if (!this.#isAnycast(address, but)) this.ipam.undo(address);
  }

  #isAnycast({ text }: Address, but?: string): boolean {
    return this.all().some((each) => each.anycast?.includes(text) === true && allocationKey(each) !== but);
  }
}
