/** Pods' packet paths in memory, for schedules that a real kernel would take minutes for. */
import type { Address } from "../../src/ip/address.ts";
import {
  AttachFailed,
  type Attachment,
  type AttachmentDriver,
  type FoundAttachment,
} from "../../src/link/attachment_driver.ts";
import type { GuardState, PacketGuard, SourceGrant } from "../../src/nft/packet_guard.ts";

const name = ({ link, address }: SourceGrant): string => `${link} ${address.text}`;

/** An AttachmentDriver without a kernel. `hold` makes the next attach wait; `failWith` makes it fail. */
export class MemoryKernel implements AttachmentDriver {
  readonly links = new Map<string, Attachment>();
  /** Existing network namespaces; attach refuses others. */
  readonly namespaces = new Set<string>();
  hold: Promise<void> | undefined;
  failWith: Error | undefined;
  /** Makes detach fail. */
  keeps = false;
  attaches = 0;
  // hostLink -> what check finds and repair puts back, once
  readonly damage = new Map<string, readonly string[]>();

  async attach(attachment: Attachment): Promise<void> {
    this.attaches++;
    await this.hold;
    if (this.failWith !== undefined) throw this.failWith;
    if (!this.namespaces.has(attachment.netns)) {
      throw new AttachFailed("netnsMissing", `Cannot attach ${attachment.hostLink}: netns is missing`);
    }
    const clash = [...this.links.values()].find(({ netns, ifname, hostLink }) =>
      netns === attachment.netns && ifname === attachment.ifname && hostLink !== attachment.hostLink
    );
    if (clash !== undefined) throw new AttachFailed("ifnameExists", `Cannot attach: ${attachment.ifname} exists`);
    this.links.set(attachment.hostLink, attachment);
  }

  detach(hostLinks: readonly string[]): Promise<void> {
    if (this.keeps) return Promise.reject(new Error("Cannot remove: the kernel keeps it"));
    for (const link of hostLinks) this.links.delete(link);
    return Promise.resolve();
  }

  check(attachment: Attachment): Promise<readonly string[]> {
    const found = this.links.get(attachment.hostLink);
    if (found === undefined) return Promise.resolve([`link ${attachment.hostLink} is missing`]);
    const has = (address: Address): boolean => found.addresses.some(({ text }) => text === address.text);
    return Promise.resolve([
      ...attachment.addresses.filter((ip) => !has(ip)).map(({ text }) => `address ${text} is missing`),
      ...this.damage.get(attachment.hostLink) ?? [],
    ]);
  }

  list(): Promise<readonly FoundAttachment[]> {
    return Promise.resolve([...this.links.values()]);
  }

  repair(attachments: readonly Attachment[]): Promise<readonly string[]> {
    const repaired = attachments.flatMap(({ hostLink }) => this.damage.get(hostLink) ?? []);
    for (const { hostLink } of attachments) this.damage.delete(hostLink);
    return Promise.resolve(repaired);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A PacketGuard without nft. */
export class MemoryGuard implements PacketGuard {
  /** `link address`; undefined while there is no table. */
  grants: Set<string> | undefined;

  replace(state: GuardState): Promise<void> {
    this.grants = new Set(state.grants.map(name));
    return Promise.resolve();
  }

  grant(grants: readonly SourceGrant[]): Promise<void> {
    if (this.grants === undefined) return Promise.reject(new Error("Cannot change the tables flock: one is missing"));
    for (const grant of grants) this.grants.add(name(grant));
    return Promise.resolve();
  }

  revoke(grants: readonly SourceGrant[]): Promise<void> {
    for (const grant of grants) this.grants?.delete(name(grant));
    return Promise.resolve();
  }

  drift(state: GuardState): Promise<readonly string[] | undefined> {
    const { grants } = this;
    if (grants === undefined) return Promise.resolve(undefined);
    const missing = state.grants.filter((grant) => !grants.has(name(grant)));
    return Promise.resolve(missing.map((grant) => `${name(grant)} is missing`));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
