/**
 * Pods' packet paths in the kernel, by way of iproute2. Ours after amnesia: links named `flock` and eight hexadecimal digits, whose
 * alias says for which container they are; and routes of our own protocol number over them.
 */
import { HOST_LINK } from "../hash/container_hash.ts";
import type { CommandRunner } from "../exec/command_runner.ts";
import { quote } from "../fault/invalid_input.ts";
import { parseAddress } from "../ip/address.ts";
import {
  AttachFailed,
  type Attachment,
  type AttachmentDriver,
  type FoundAttachment,
  type Repair,
  type ReportedPodEnd,
} from "./attachment_driver.ts";
import { AttachmentEnds, type BrokenEnd } from "./attachment_ends.ts";
import { explain, failed, isHarmless } from "./attach_failure.ts";
import { diffPodEnd, type KernelEnd } from "./diff_attachment.ts";
import { IpBatch } from "../exec/ip_batch.ts";
import { type IpReader, readPodRoutes, readVeths } from "./kernel_ends.ts";
import { parseAlias } from "./link_alias.ts";
import { checkWords, planHostEnd, planNodeMark, planPodEnd, planPodRepair, planSysctls } from "./plan_attachment.ts";
import { rebindAttachment } from "./rebind_attachment.ts";
import { type LinkSysctls, restoreEnd, restoreSysctl } from "./restore_end.ts";
import { Undertaker } from "./undertaker.ts";

export interface AttachmentDriverOptions {
  readonly runner: CommandRunner;
  /** Absolute path of iproute2's ip. */
  readonly ip: string;
  readonly sysctls: LinkSysctls;
  /** A process in the node's network namespace, in the pid namespace of the tools: this one. */
  readonly nodePid: number;
  /** What is at the path of a network namespace; undefined when nothing is, or when that cannot be told. */
  netnsAt(path: string): { readonly isLink: boolean; readonly id: string } | undefined;
}

/** What no plugin and no pod changes: the addresses, and that there is some default route. */
const ANY_POD_END: ReportedPodEnd = { defaultRoutes: new Map([[4, []], [6, []]]) };

/** So many names may a batch have met that mean nothing any more, before it is started anew. */
const MAX_BURIED = 1000;

/**
 * Their writers take the RTNL lock, and spin while another has it: an agent that is about to make a hundred links would stand still. So
 * they are written only where they differ, which on a node that forwards is never.
 */
const LOCKING = /\/(forwarding|disable_ipv6)$/;

/** @returns a driver; its persistent processes start with the first call */
export function createAttachmentDriver(options: AttachmentDriverOptions): AttachmentDriver {
  return new SystemAttachmentDriver(options);
}

class SystemAttachmentDriver implements AttachmentDriver {
  readonly #options: AttachmentDriverOptions;
  readonly #reader: IpReader;
  readonly #ends: AttachmentEnds;
  readonly #batch: IpBatch;
  readonly #undertaker: Undertaker;
  /** Links that are gone, whose index the batch may still remember. */
  readonly #buried = new Set<string>();
  /** Links that should be there. One that is made all the same was removed or renamed by others: the batch may remember its index. */
  readonly #known = new Set<string>();
  #marked: Promise<void> | undefined;

  constructor(options: AttachmentDriverOptions) {
    this.#options = options;
    this.#reader = { runner: options.runner, ip: [options.ip] };
    this.#ends = new AttachmentEnds(options);
    this.#batch = new IpBatch(options.runner, options.ip);
    this.#undertaker = new Undertaker({
      batch: new IpBatch(options.runner, options.ip),
      isThere: (link) => options.sysctls.read(`ipv4/conf/${link}/forwarding`) !== undefined,
    });
  }

  async attach(attachment: Attachment): Promise<void> {
    checkWords(attachment);
    await this.#markNode(attachment);
    const netns = this.#identifyNetns(attachment);
    try {
      await this.#setUpPodEnd(attachment);
      for (const [name, value] of planSysctls(attachment)) this.#setSysctl(name, value);
      await this.#setUpHostEnd(attachment);
      if (this.#options.netnsAt(attachment.netns)?.id !== netns) {
        throw failed(attachment, "its network namespace went away or was replaced meanwhile");
      }
    } catch (error) {
      if (isHarmless(error)) throw error;
      await this.detach([attachment.hostLink]);
      throw error instanceof AttachFailed ? error : failed(attachment, String(error), error);
    }
  }

  async detach(hostLinks: readonly string[]): Promise<void> {
    for (const link of hostLinks) {
      this.#known.delete(link);
      this.#buried.add(link);
    }
    await this.#undertaker.bury(hostLinks);
  }

  async check(attachment: Attachment, reported?: ReportedPodEnd): Promise<readonly string[]> {
    const [[host, pod], loopback] = await Promise.all([
      this.#ends.readBoth(attachment),
      this.#ends.diffLoopback(attachment),
    ]);
    return [...this.#ends.diffHost(attachment, host), ...diffPodEnd(attachment, pod, reported), ...loopback];
  }

  async rebind(before: Attachment, after: Attachment): Promise<void> {
    checkWords(after);
    await this.#markNode(after);
    const { netnsAt, sysctls } = this.#options;
    const { hostLink, netns, netnsId } = after;
    const isThere = sysctls.read(`ipv4/conf/${hostLink}/forwarding`) !== undefined;
    if (!isThere || (netnsId !== undefined && netnsAt(netns)?.id !== netnsId)) {
      throw new AttachFailed("netnsMissing", `Cannot rebind ${hostLink}: the link or its pod is gone`);
    }
    await rebindAttachment({ before, after }, { batch: this.#batch, inPod: this.#ends.inPod(after) });
  }

  async mend(attachment: Attachment): Promise<boolean> {
    checkWords(attachment);
    const { netns, netnsId } = attachment;
    const id = this.#options.netnsAt(netns)?.id ?? netnsId;
    if (netnsId !== undefined && id !== netnsId) return false;
    const [[host, pod], loopback] = await Promise.all([
      this.#ends.readBoth(attachment),
      this.#ends.diffLoopback(attachment),
    ]);
    if (host.link === undefined || pod.link === undefined) return false;
    if (this.#ends.diffHost(attachment, host).length > 0) await this.#mendHostEnd(attachment);
    const differences = [...diffPodEnd(attachment, pod, ANY_POD_END), ...loopback];
    if (differences.length > 0) await this.#mendPodEnd(attachment, pod);
    return true;
  }

  async list(): Promise<readonly FoundAttachment[]> {
    const [links, routes] = await Promise.all([readVeths(this.#reader), readPodRoutes(this.#reader)]);
    return links.filter(({ name }) => HOST_LINK.test(name)).map(({ name, mtu, alias }) => {
      const own = routes.filter(({ link }) => link === name);
      const addresses = own.flatMap(({ destination }) => parseAddress(destination) ?? []);
      return { hostLink: name, ...parseAlias(alias), mtu, addresses };
    });
  }

  /**
   * Four reads for all of them together, whatever their number, and four more where something was broken. What needs the pod's
   * namespace is not repaired here.
   */
  async repair(attachments: readonly Attachment[]): Promise<Repair> {
    if (attachments.length === 0) return { mended: [], left: [] };
    for (const { hostLink } of attachments) this.#known.add(hostLink);
    await this.#mark(); // lo's mark keeps an ADD from taking the node's own namespace for a pod's
    const broken = await this.#ends.findBroken(attachments);
    if (broken.length === 0) return { mended: [], left: [] };
    const failures = await Promise.all(broken.map((each) => this.#restore(each)));
    const ends = await this.#ends.readHosts();
    const repairs = broken.map((each, index) => this.#ends.judge(each, { ends, failures: failures[index] ?? [] }));
    return { mended: repairs.flatMap(({ mended }) => mended), left: repairs.flatMap(({ left }) => left) };
  }

  async close(): Promise<void> {
    await Promise.all([this.#batch.close(), this.#undertaker.close()]);
  }

  /**
   * One process opens the path, once, for all of the pod's end. What is there before and after is compared, because a path is but a
   * name: by it the runtime may find another namespace than the one that was set up.
   *
   * @throws AttachFailed when the path is a link, or leads to another namespace than the one that is meant
   */
  #identifyNetns({ hostLink, netns, netnsId }: Attachment): string | undefined {
    const found = this.#options.netnsAt(netns);
    const state = found?.isLink === true
      ? "a link, no network namespace"
      : found !== undefined && netnsId !== undefined && found.id !== netnsId
      ? "another network namespace by now"
      : undefined;
    if (state === undefined) return found?.id;
    throw new AttachFailed("netnsMissing", `Cannot attach ${hostLink}: "${netns}" is ${state}`);
  }

  /** Once; after a failure the next call tries again. @throws AttachFailed */
  async #markNode(attachment: Attachment): Promise<void> {
    this.#marked ??= this.#mark();
    try {
      await this.#marked;
    } catch (error) {
      this.#marked = undefined;
      throw failed(attachment, `the node's namespace could not be marked: ${String(error)}`, error);
    }
  }

  async #mark(): Promise<void> {
    const errors = await this.#batch.run([planNodeMark()]);
    if (errors !== "" && !errors.includes("File exists")) throw new Error(`Cannot mark lo: ${errors.trim()}`);
  }

  #renewBatch(): void {
    this.#batch.renew();
    this.#buried.clear();
  }

  async #setUpHostEnd(attachment: Attachment): Promise<void> {
    const { hostLink } = attachment;
    const isStale = this.#buried.has(hostLink) || this.#known.has(hostLink);
    if (isStale || this.#buried.size > MAX_BURIED) this.#renewBatch();
    this.#known.add(hostLink);
    const errors = await this.#batch.run(planHostEnd(attachment));
    if (errors !== "") throw failed(attachment, errors);
  }

  /** @throws AttachFailed */
  async #mendHostEnd(attachment: Attachment): Promise<void> {
    const { left } = await this.repair([attachment]);
    if (left.length > 0) throw new AttachFailed("failed", `Cannot mend ${attachment.hostLink}: ${left.join("; ")}`);
  }

  /** A default route of the family that is there may be a later plugin's, or the pod's own. @throws AttachFailed */
  async #mendPodEnd(attachment: Attachment, { routes }: KernelEnd): Promise<void> {
    await this.#markNode(attachment);
    const { runner, ip } = this.#ends.inPod(attachment);
    const routed = ([4, 6] as const).filter((family) =>
      !routes.some((route) => route.family === family && route.destination === "default")
    );
    const result = await runner.run([...ip, "-batch", "-"], {
      stdin: `${planPodRepair(attachment, routed).join("\n")}\n`,
    });
    if (result.code !== 0) throw explain(attachment, result.stderr);
  }

  /** The one process that an attach costs. */
  async #setUpPodEnd(attachment: Attachment): Promise<void> {
    const clash = await this.#tryPodEnd(attachment);
    if (clash === undefined) return;
    await this.#clearStaleLink(attachment);
    if (await this.#tryPodEnd(attachment) !== undefined) throw clash;
  }

  /** @returns the failure that a stale host end may have caused; undefined when all went well. @throws every other failure */
  async #tryPodEnd(attachment: Attachment): Promise<AttachFailed | undefined> {
    const { runner, ip } = this.#ends.inPod(attachment);
    const stdin = `${planPodEnd(attachment, this.#options.nodePid).join("\n")}\n`;
    const result = await runner.run([...ip, "-batch", "-"], { stdin });
    if (result.code === 0) return undefined;
    const failure = explain(attachment, result.stderr);
    if (failure.fault === "ifnameExists") return failure;
    throw failure;
  }

  /**
   * Either end may be in the way of a link. A host end of the name that is another container's, or has no owner that we can read,
   * stays. What an ADD left that did not end goes: one of this very container, and one of our name with an empty alias, since the
   * alias comes with the first line for the host's end, after the link itself was made. One of this container that somebody gave
   * another name goes too: its other end is in the pod, and in the way.
   */
  async #clearStaleLink(attachment: Attachment): Promise<void> {
    const { hostLink, containerId, ifname } = attachment;
    const links = await readVeths(this.#reader);
    const own = links.filter(({ alias }) => {
      const owner = parseAlias(alias);
      return owner?.containerId === containerId && owner.ifname === ifname;
    });
    const named = links.find(({ name }) => name === hostLink);
    if (named !== undefined && named.alias !== "" && !own.includes(named)) {
      throw new AttachFailed(
        "hostLinkTaken",
        `Cannot attach ${hostLink}: a link of that name belongs to ${quote(named.alias)}`,
      );
    }
    await this.detach([...new Set([...named === undefined ? [] : [named], ...own])].map(({ name }) => name));
  }

  #restore({ attachment, link }: BrokenEnd): Promise<string[]> {
    return restoreEnd(attachment, { link, batch: this.#batch, sysctls: this.#options.sysctls });
  }

  #setSysctl(name: string, value: string): void {
    const { sysctls } = this.#options;
    if (LOCKING.test(name)) restoreSysctl(sysctls, { name, value });
    else sysctls.write(name, value);
  }
}
