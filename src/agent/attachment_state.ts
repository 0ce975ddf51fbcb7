/** What an allocation stands for in the kernel, and how it differs from what is there. */
import type { Allocation } from "../ipam/allocation.ts";
import type { Attachment, AttachmentDriver, ReportedPodEnd } from "../link/attachment_driver.ts";
import type { PacketGuard, SourceGrant } from "../nft/packet_guard.ts";
import { addressesOf, anycastOf, looseOf } from "./allocation_addresses.ts";

/** @returns the packet path that an allocation stands for */
export function attachmentOf(allocation: Allocation): Attachment {
  const { containerId, ifname, netns, netnsId, network, hostLink, podMac, mtu } = allocation;
  const anycast = anycastOf(allocation);
  return {
    ...{ containerId, ifname, netns, hostLink, podMac, mtu, addresses: addressesOf(allocation) },
    ...(netnsId === undefined ? {} : { netnsId }),
    ...(network === undefined ? {} : { network }),
    ...(anycast.length === 0 ? {} : { anycast }),
  };
}

/** @returns what an allocation's pod may send from, each address once */
export function grantsOf(allocation: Allocation): SourceGrant[] {
  const { own, shared } = looseOf(allocation);
  const addresses = [...addressesOf(allocation), ...anycastOf(allocation), ...own, ...shared];
  const unique = new Map(addresses.map((address) => [address.text, address]));
  return [...unique.values()].map((address) => ({ link: allocation.hostLink, address }));
}

/** Runtimes spell the directory of namespaces in two ways; /var/run is a link to /run. */
export function isSameNetns(a: string, b: string): boolean {
  return a.replace(/^\/var\/run\//, "/run/") === b.replace(/^\/var\/run\//, "/run/");
}

/**
 * @param from `reported` is what a later plugin of the chain may have changed; absent: nothing may differ
 * @returns every difference between an allocation and the kernel, one phrase each; changes nothing
 */
export async function findDifferences(
  allocation: Allocation,
  { driver, guard, reported }: { driver: AttachmentDriver; guard: PacketGuard; reported?: ReportedPodEnd },
): Promise<readonly string[]> {
  const found = [driver.check(attachmentOf(allocation), reported), guard.check(grantsOf(allocation))];
  return (await Promise.all(found)).flat();
}
