import type { Address } from "../ip/address.ts";
import type { Allocation } from "../ipam/allocation.ts";
import type { Surroundings } from "../pod/check_claims.ts";
import { addressesOf, anycastOf } from "./allocation_addresses.ts";
import type { Claims } from "../pod/claims.ts";
import type { NodeTerms } from "./add.ts";
import type { Findings } from "./claim_inquiry.ts";

/** Whose claims are judged: a container, whose own addresses are no hindrance, and its pod, where the runtime named one. */
export interface Claimant {
  readonly containerId: string;
  readonly pod?: { readonly uid: string };
}

/**
 * What a pod's claims must leave alone.
 *
 * @param all the node's allocations. An earlier sandbox of the same pod is no other holder
 * @param holders who on other nodes has an address without claiming it, as far as was asked
 */
export function surroundingsOf(
  { config, network, otherNodes }: NodeTerms,
  { all, claimant, holders }: { all: readonly Allocation[]; claimant: Claimant; holders: Findings["holders"] },
): Surroundings {
  const others = all.filter((each) => !isOf(each, claimant));
  const find = (addresses: (of: Allocation) => readonly Address[], { text }: Address): string | undefined => {
    const holder = others.find((each) => addresses(each).some((own) => own.text === text));
    return holder === undefined ? undefined : nameOf(holder);
  };
  return {
    config,
    hostAddresses: network.addresses,
    otherAddresses: otherNodes.flatMap(({ others }) => others),
    holderOf: (address) => find(addressesOf, address) ?? holders.get(address.text),
    userOf: (address) =>
      find((each) => [...addressesOf(each), ...anycastOf(each)], address) ?? holders.get(address.text),
  };
}

/**
 * @returns earlier sandboxes of the same pod that have ended, or are about to, and are in its way: they have for themselves what it
 *   claims, or answer anycast addresses, of which half of the flows would go on going there
 */
export function earlierHolders(
  { addresses, anycast }: Claims,
  { all, claimant }: { all: readonly Allocation[]; claimant: Claimant },
): Allocation[] {
  const wanted = new Set([...addresses, ...anycast].map(({ text }) => text));
  return all.filter((each) =>
    isOf(each, claimant) && each.containerId !== claimant.containerId &&
    (each.anycast !== undefined || addressesOf(each).some(({ text }) => wanted.has(text)))
  );
}

/** @returns how messages name whom an allocation is for */
export function nameOf({ pod, containerId }: Pick<Allocation, "pod" | "containerId">): string {
  return pod === undefined ? `container ${containerId}` : `pod ${pod.namespace}/${pod.name}`;
}

function isOf({ pod, containerId }: Allocation, claimant: Claimant): boolean {
  return containerId === claimant.containerId || (pod !== undefined && pod.uid === claimant.pod?.uid);
}
