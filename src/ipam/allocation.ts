import type { Family } from "../ip/address.ts";

/**
 * One attachment of a container to the pod network: what the agent remembers of an ADD, in memory and on disk. The answer to a
 * repeated ADD is made from this record alone.
 */
export interface Allocation {
  readonly containerId: string;
  /** Name of the network that it was added to; absent where only the kernel remembers it. */
  readonly network?: string;
  /** The interface's name inside the pod, `eth0`. */
  readonly ifname: string;
  /** The pod's network namespace, an absolute path; empty where nobody remembers it. */
  readonly netns: string;
  /** Which namespace that was, for another may come to be at the same path; absent where that could not be told. */
  readonly netnsId?: string;
  /** The host end of the veth, `flock` and eight hexadecimal digits. */
  readonly hostLink: string;
  /** MAC address of the pod's end. */
  readonly podMac: string;
  /** MTU of both ends in bytes. */
  readonly mtu: number;
  /** Kubernetes identity; absent when the runtime passed none (cnitool). */
  readonly pod?: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** Canonical text; absent when the pod does not have the family. */
  readonly ipv6?: string;
  readonly ipv4?: string;
  /** Families whose address is the pod's by its annotation `addresses`, not from the pool: it never rests. Absent: none. */
  readonly claimed?: readonly Family[];
  /** More addresses of its interface, by the same annotation. Canonical text; absent: none. */
  readonly secondary?: readonly string[];
  /** Addresses of its `lo`, by the annotation `anycast`. Canonical text; absent: none. */
  readonly anycast?: readonly string[];
  /**
   * What its interface and its `lo` may have beside, on its way in or out: noted before it is put there and until it is gone, so that a
   * crash in between leaves nothing behind and nobody else gets it meanwhile. Absent: nothing.
   */
  readonly loose?: { readonly secondary: readonly string[]; readonly anycast: readonly string[] };
  /** Whether its pod was Ready, and not being deleted, when that was last known; only kept with `anycast`. */
  readonly ready?: boolean;
  /** `pending` before the kernel is touched, `committed` once the ADD may be answered. */
  readonly state: "pending" | "committed";
  /** When it was recorded; wall clock, milliseconds since the epoch. */
  readonly createdAt: number;
}

/** The key of an allocation: one container may have several interfaces. */
export function allocationKey(of: { containerId: string; ifname: string }): string {
  return `${of.containerId}/${of.ifname}`;
}
