/** Pods' packet paths in memory, for schedules that a real kernel would take minutes for. Held to the real drivers' contracts. */
import {
  AttachFailed,
  type Attachment,
  type AttachmentDriver,
  type FoundAttachment,
  type Repair,
} from "../../src/link/attachment_driver.ts";
import type { GuardState, PacketGuard, SourceGrant } from "../../src/nft/packet_guard.ts";

const name = ({ link, address }: SourceGrant): string => `${link} ${address.text}`;

/** Paths of network namespaces; each one that comes is another one, also at the path of one that went. */
class MemoryNamespaces extends Set<string> {
  readonly #ids = new Map<string, string>();
  #made = 0;

  override add(path: string): this {
    if (!this.has(path)) this.#ids.set(path, String(++this.#made));
    return super.add(path);
  }

  /** What is there, if anything is. */
  at(path: string): { readonly id: string } | undefined {
    const id = this.#ids.get(path);
    return id === undefined || !this.has(path) ? undefined : { id };
  }
}

/** An AttachmentDriver without a kernel. `hold` makes the next attach wait; `failWith` makes it fail. */
export class MemoryKernel implements AttachmentDriver {
  readonly links = new Map<string, Attachment>();
  /** Links of flock's name without an alias, as an attach that was cut off leaves them: host link -> its pod's namespace. */
  readonly bare = new Map<string, string>();
  /** Existing network namespaces; attach refuses others. */
  readonly namespaces = new MemoryNamespaces();
  // address -> the host link that its route goes over; the last attach wins
  readonly #routes = new Map<string, string>();
  hold: Promise<void> | undefined;
  failWith: Error | undefined;
  /** Makes detach fail. */
  keeps = false;
  attaches = 0;
  // hostLink -> what check finds and repair puts back, once
  readonly damage = new Map<string, readonly string[]>();

  /** @param halfway passes while the link is there and nobody's yet; what it throws fails the attach */
  async attach(attachment: Attachment, halfway?: () => Promise<void>): Promise<void> {
    this.attaches++;
    await this.hold;
    if (this.failWith !== undefined) throw this.failWith;
    this.#expectFree(attachment);
    const { hostLink, netns } = attachment;
    this.#remove(hostLink);
    this.bare.set(hostLink, netns);
    try {
      await halfway?.();
      if (!this.bare.has(hostLink)) throw new Error("the namespace went away");
    } catch (error) {
      this.#remove(hostLink);
      throw new AttachFailed("failed", `Cannot attach ${hostLink}: ${String(error)}`);
    }
    this.bare.delete(hostLink);
    this.links.set(hostLink, attachment);
    for (const { text } of attachment.addresses) this.#routes.set(text, hostLink);
  }

  detach(hostLinks: readonly string[]): Promise<void> {
    if (this.keeps) return Promise.reject(new Error("Cannot remove: the kernel keeps it"));
    for (const link of hostLinks) this.#remove(link);
    return Promise.resolve();
  }

  check(attachment: Attachment): Promise<readonly string[]> {
    const { hostLink, ifname, netns } = attachment;
    const found = this.links.get(hostLink);
    if (found === undefined) {
      return Promise.resolve([`host link ${hostLink} is missing`, `interface ${ifname} in ${netns} is missing`]);
    }
    const missing = attachment.addresses.filter(({ text }) => this.#routes.get(text) !== hostLink);
    return Promise.resolve([
      ...missing.map(({ text }) => `host route ${text} is missing`),
      ...(attachment.anycast ?? []).filter(({ text }) => !found.anycast?.some((other) => other.text === text))
        .map(({ text }) => `address ${text} on lo is missing`),
      ...this.damage.get(hostLink) ?? [],
    ]);
  }

  list(): Promise<readonly FoundAttachment[]> {
    const whole = [...this.links.values()].map((attachment) => {
      const addresses = attachment.addresses.filter(({ text }) => this.#routes.get(text) === attachment.hostLink);
      return { ...attachment, addresses };
    });
    const bare = [...this.bare.keys()].map((hostLink) => ({ hostLink, mtu: 1500, addresses: [] }));
    return Promise.resolve([...whole, ...bare]);
  }

  repair(attachments: readonly Attachment[]): Promise<Repair> {
    const there = attachments.filter(({ hostLink }) => this.links.has(hostLink));
    return Promise.resolve({ mended: there.flatMap((attachment) => this.#repairOne(attachment)), left: [] });
  }

  mend(attachment: Attachment): Promise<boolean> {
    if (this.links.get(attachment.hostLink)?.netns !== attachment.netns) return Promise.resolve(false);
    this.#repairOne(attachment);
    this.links.set(attachment.hostLink, attachment);
    return Promise.resolve(true);
  }

  rebind(before: Attachment, after: Attachment): Promise<void> {
    const { hostLink, netns } = after;
    if (this.failWith !== undefined) return Promise.reject(this.failWith);
    if (this.links.get(hostLink)?.netns !== netns) {
      return Promise.reject(new AttachFailed("netnsMissing", `Cannot attach ${hostLink}: it is gone`));
    }
    const gone = before.addresses.filter(({ text }) => !after.addresses.some((other) => other.text === text));
    for (const { text } of gone) if (this.#routes.get(text) === hostLink) this.#routes.delete(text);
    for (const { text } of after.addresses) this.#routes.set(text, hostLink);
    this.links.set(hostLink, after);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The kernel takes a namespace away, and with it every link that has an end there. */
  vanish(netns: string): void {
    this.namespaces.delete(netns);
    const within = [...this.links.values()].filter((link) => link.netns === netns).map(({ hostLink }) => hostLink);
    const bare = [...this.bare].filter(([, of]) => of === netns).map(([hostLink]) => hostLink);
    for (const link of [...within, ...bare]) this.#remove(link);
  }

  /** All that was is gone. */
  reboot(): void {
    for (const netns of [...this.namespaces]) this.vanish(netns);
    for (const link of [...this.links.keys(), ...this.bare.keys()]) this.#remove(link);
  }

  #repairOne({ hostLink, addresses }: Attachment): string[] {
    const missing = addresses.filter(({ text }) => this.#routes.get(text) !== hostLink);
    for (const { text } of missing) this.#routes.set(text, hostLink);
    const damage = this.damage.get(hostLink) ?? [];
    this.damage.delete(hostLink);
    return [...missing.map(({ text }) => `host route ${text} is missing`), ...damage];
  }

  /** As the real `netnsGone`. */
  netnsGone({ netns, netnsId }: Pick<Attachment, "netns" | "netnsId">): boolean {
    const found = this.namespaces.at(netns);
    return found === undefined || (netnsId !== undefined && found.id !== netnsId);
  }

  #expectFree({ hostLink, netns, netnsId, ifname, containerId }: Attachment): void {
    if (this.netnsGone({ netns, ...(netnsId === undefined ? {} : { netnsId }) })) {
      throw new AttachFailed("netnsMissing", `Cannot attach ${hostLink}: netns is missing`);
    }
    const others = [...this.links.values()].filter((link) => link.containerId !== containerId);
    if (others.some((link) => link.netns === netns && link.ifname === ifname)) {
      throw new AttachFailed("ifnameExists", `Cannot attach: ${ifname} exists`);
    }
    if (others.some((link) => link.hostLink === hostLink)) {
      throw new AttachFailed("hostLinkTaken", `Cannot attach ${hostLink}: it is another container's`);
    }
  }

  #remove(hostLink: string): void {
    this.links.delete(hostLink);
    this.bare.delete(hostLink);
    for (const [address, link] of this.#routes) if (link === hostLink) this.#routes.delete(address);
  }
}

/** What the kernel holds of flock's tables; it outlives the process that wrote them. */
export interface MemoryTables {
  /** `link address`; undefined while there is no table. */
  grants: Set<string> | undefined;
}

/** A PacketGuard without nft: one process's. */
export class MemoryGuard implements PacketGuard {
  /** Whether the tables are what this process wrote. */
  #own = false;

  constructor(private readonly tables: MemoryTables = { grants: undefined }) {}

  get grants(): Set<string> | undefined {
    return this.tables.grants;
  }

  set grants(grants: Set<string> | undefined) {
    this.tables.grants = grants;
  }

  replace(state: GuardState): Promise<void> {
    this.tables.grants = new Set(state.grants.map(name));
    this.#own = true;
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
    if (!this.#own) return Promise.resolve(["the tables flock are not what this process wrote"]);
    const wanted = new Set(state.grants.map(name));
    return Promise.resolve([
      ...[...wanted].filter((grant) => !grants.has(grant)).map((grant) => `set own lacks ${grant}`),
      ...[...grants].filter((grant) => !wanted.has(grant)).map((grant) => `set own holds ${grant}, not ours`),
    ]);
  }

  check(grants: readonly SourceGrant[]): Promise<readonly string[]> {
    const have = this.grants;
    if (have === undefined) return Promise.resolve(["table inet flock or table arp flock is missing"]);
    return Promise.resolve(grants.map(name).filter((each) => !have.has(each)).map((each) => `set own lacks ${each}`));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
