import type { Address, Family } from "../ip/address.ts";

/** One pod's packet path as it should be: a veth pair and all that hangs on it (spec section 6). */
export interface Attachment {
  readonly containerId: string;
  /** Name of the pod's end, inside its namespace. */
  readonly ifname: string;
  /** The pod's network namespace, an absolute path. */
  readonly netns: string;
  /** Which namespace that is; absent: whichever is at the path. */
  readonly netnsId?: string;
  /** Name of the pod network, for the link to remember. */
  readonly network?: string;
  /** Name of the host's end. */
  readonly hostLink: string;
  readonly podMac: string;
  /** Bytes. */
  readonly mtu: number;
  /** Of the pod's end. The first of each family is the one that the pod sends from where it is not told otherwise. */
  readonly addresses: readonly Address[];
  /** Of the pod's `lo`; no route leads there by this driver. Absent: none. */
  readonly anycast?: readonly Address[];
}

/** What a later plugin of the chain may have made of the pod's end, as the chain's result tells it. */
export interface ReportedPodEnd {
  /** Bytes; absent: it does not tell, so any will do. */
  readonly mtu?: number;
  /** Families whose default route it lists, with the gateways that it names for it: one of them must be there. None: any will do. */
  readonly defaultRoutes: ReadonlyMap<Family, readonly string[]>;
}

/** Why an attachment could not be made; the agent turns each into a CNI error. */
export type AttachFault =
  /** The network namespace does not exist, is none, or is not the one that was meant. */
  | "netnsMissing"
  /** The namespace is the node's own. */
  | "netnsIsHost"
  /** The pod already has an interface of that name; it was left untouched. */
  | "ifnameExists"
  /** A host end of that name belongs to another container, which was left untouched: names are hashes. */
  | "hostLinkTaken"
  /** Anything else; the message says what the tool wrote. */
  | "failed";

export class AttachFailed extends Error {
  override readonly name = "AttachFailed";
  constructor(readonly fault: AttachFault, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** A host end found in the kernel that is flock's by its name and alias. */
export interface FoundAttachment {
  readonly hostLink: string;
  /** From the alias; undefined when the alias is not one of ours. */
  readonly containerId?: string;
  readonly ifname?: string;
  readonly netns?: string;
  readonly netnsId?: string;
  readonly network?: string;
  readonly mtu: number;
  /** From the host routes of our protocol number over this link. */
  readonly addresses: readonly Address[];
}

/** What a repair came to, one phrase each. */
export interface Repair {
  /** What was put back and is so now. */
  readonly mended: readonly string[];
  /** What is still not as it should be, and what the tools said to it. */
  readonly left: readonly string[];
}

/**
 * Makes, removes, lists and checks pods' packet paths: veth pair, addresses, routes and neighbours on both ends, and the
 * sysctls of the host end. Knows nothing of pods, state or policy.
 */
export interface AttachmentDriver {
  /**
   * Makes the whole path. A host end that an unfinished ADD of the same container left, or that somebody renamed, and routes of our protocol for the same
   * addresses over other links, are replaced. On failure nothing of it remains.
   *
   * @throws AttachFailed
   */
  attach(attachment: Attachment): Promise<void>;
  /**
   * Removes the host ends (and with them the pods' ends, their routes and neighbours). What is missing already is fine.
   * Calls made at the same time share one kernel operation.
   */
  detach(hostLinks: readonly string[]): Promise<void>;
  /**
   * @param reported absent: the pod's end must be just as it was made
   * @returns every difference between what should be and what is, one phrase each, empty when all is well. Changes nothing.
   */
  check(attachment: Attachment, reported?: ReportedPodEnd): Promise<readonly string[]>;
  /** @returns all host ends that are ours. */
  list(): Promise<readonly FoundAttachment[]>;
  /**
   * Puts back what is missing or changed on the host side of these attachments: routes, neighbours, addresses, sysctls, the link's
   * MAC, MTU, alias, ARP, having no master and being up. A host end that is gone is left alone. One that cannot be mended keeps no
   * other from being mended.
   *
   * @throws when the kernel cannot be read
   */
  repair(attachments: readonly Attachment[]): Promise<Repair>;
  /**
   * Makes a path whole again that was made before, for a pod that runs: the host's end as `repair` does, and of the pod's end what
   * is missing (addresses, neighbours, the default route of a family that has none, the link's being up). Whatever else is there stays as it is:
   * a later plugin may have put it there. Nothing is made anew.
   *
   * @returns false when an end is gone, or another namespace is at the path; nothing has changed then
   * @throws AttachFailed when something cannot be put back; what is there stays
   */
  mend(attachment: Attachment): Promise<boolean>;
  /**
   * Gives a pod that runs other secondary addresses and other ones on its `lo`: `after` is as `before` but for those. The first of each
   * family stays. What `after` has is put there whether it was thought to be there or not; may be repeated.
   *
   * @throws AttachFailed when the pod's namespace or link is gone, or something cannot be done; what is done stays
   */
  rebind(before: Attachment, after: Attachment): Promise<void>;
  /** Ends the persistent process. */
  close(): Promise<void>;
}
