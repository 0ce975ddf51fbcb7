/** Pods' packet paths in memory, for schedules that a real kernel would take minutes for. Held to the real drivers' contracts. */
import {
  AttachFailed,
  type Attachment,
  type AttachmentDriver,
  type FoundAttachment,
  type Repair,
} from "../../src/link/attachment_driver.ts";
import { type Alteration, MemoryDamage } from "./memory_damage.ts";

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
  readonly #damage = new MemoryDamage();

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
      if (!this.bare.has(hostLink) || this.netnsGone(attachment)) throw new Error("the namespace went away");
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
    return Promise.resolve([...this.#hostDifferences(attachment), ...this.#podDifferences(attachment)]);
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
    const adopted = attachments.flatMap((attachment) => this.#adopt(attachment));
    const there = attachments.filter(({ hostLink }) => this.links.has(hostLink));
    const mended = there.flatMap((attachment) => this.#repairOne(attachment));
    return Promise.resolve({ mended: [...adopted, ...mended], left: [] });
  }

  mend(attachment: Attachment): Promise<boolean> {
    if (this.netnsGone(attachment)) return Promise.resolve(false);
    this.#adopt(attachment);
    if (this.links.get(attachment.hostLink)?.netns !== attachment.netns) return Promise.resolve(false);
    this.#repairOne(attachment);
    this.links.set(attachment.hostLink, attachment);
    this.#damage.mendPod(attachment);
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

  /** Somebody takes something away, or alters it. @returns what it was done to; undefined when there is no such thing */
  alter(hostLink: string, what: Alteration): Attachment | undefined {
    const attachment = this.links.get(hostLink);
    if (attachment === undefined) return undefined;
    if (what === "address" && !attachment.addresses.some(({ family }) => family === 6)) return undefined;
    if (what === "link") this.#remove(hostLink);
    else if (what === "route") this.#removeRoute(attachment);
    else this.#damage.add(attachment, what);
    return attachment;
  }

  /** @returns a sysctl below net/ of a pod's host end; undefined when that is not there */
  readSetting(name: string): string | undefined {
    const attachment = this.links.get(name.split("/")[2] ?? "");
    return attachment === undefined ? undefined : this.#damage.read(attachment, name);
  }

  /** @returns host links, of those that are there, whose host's or pod's end is not as it should be, routes apart */
  damaged(): { readonly host: ReadonlySet<string>; readonly pod: ReadonlySet<string> } {
    const [host, pod] = [new Set<string>(), new Set<string>()];
    for (const attachment of this.links.values()) {
      if (this.#damage.ofHost(attachment).length > 0) host.add(attachment.hostLink);
      if (this.#podDifferences(attachment).length > 0) pod.add(attachment.hostLink);
    }
    return { host, pod };
  }

  /** The path of a namespace goes, and it lives on, with its links: a process holds it. */
  unname(netns: string): void {
    this.namespaces.delete(netns);
  }

  #removeRoute({ hostLink, addresses: [first] }: Attachment): void {
    if (first !== undefined && this.#routes.get(first.text) === hostLink) this.#routes.delete(first.text);
  }

  /** A link without an alias is whose name it has; all that its host's end lacks can be put there. */
  #adopt(attachment: Attachment): string[] {
    const { hostLink, netns } = attachment;
    if (this.bare.get(hostLink) !== netns) return [];
    this.bare.delete(hostLink);
    this.links.set(hostLink, attachment);
    return [`link ${hostLink} has alias "", not its owner's`];
  }

  #hostDifferences(attachment: Attachment): string[] {
    const { hostLink, addresses } = attachment;
    const missing = addresses.filter(({ text }) => this.#routes.get(text) !== hostLink);
    const routes = missing.map(({ text }) => `host route ${text} dev ${hostLink} is missing`);
    return [...routes, ...this.#damage.ofHost(attachment)];
  }

  #podDifferences(attachment: Attachment): string[] {
    const { hostLink, ifname, netns, anycast = [] } = attachment;
    if (this.netnsGone(attachment)) return [`interface ${ifname} in ${netns} is missing`];
    const present = this.links.get(hostLink)?.anycast ?? [];
    const lacking = anycast.filter(({ text }) => !present.some((other) => other.text === text));
    return [
      ...lacking.map(({ text }) => `address ${text} on lo is missing`),
      ...this.#damage.ofPod(attachment),
    ];
  }

  #repairOne(attachment: Attachment): string[] {
    const differences = this.#hostDifferences(attachment);
    for (const { text } of attachment.addresses) this.#routes.set(text, attachment.hostLink);
    this.#damage.mendHost(attachment);
    return differences;
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
    this.#damage.forget(hostLink);
    for (const [address, link] of this.#routes) if (link === hostLink) this.#routes.delete(address);
  }
}
