/**
 * Pods' packet paths in the kernel, by way of iproute2. Ours after amnesia: links named `flock` and eight hexadecimal digits, whose
 * alias says for which container they are; and routes of our own protocol number over them.
 */
import { HOST_LINK } from "../hash/container_hash.ts";
import type { CommandRunner } from "../exec/command_runner.ts";
import { readIpJson } from "../exec/read_ip_json.ts";
import { quote } from "../fault/invalid_input.ts";
import { parseAddress } from "../ip/address.ts";
import { ROUTE_PROTOCOL } from "../route_protocol/route_protocol.ts";
import {
  AttachFailed,
  type Attachment,
  type AttachmentDriver,
  type FoundAttachment,
  type ReportedPodEnd,
} from "./attachment_driver.ts";
import { expectRestored, explain, failed, isHarmless } from "./attach_failure.ts";
import { diffHostEnd, diffPodEnd, diffSysctls, type KernelEnd } from "./diff_attachment.ts";
import { HOST_MAC } from "./host_mac.ts";
import { IpBatch } from "./ip_batch.ts";
import { parseAlias } from "./link_alias.ts";
import { checkWords, planHostEnd, planNodeMark, planPodEnd, planPodRepair, planSysctls } from "./plan_attachment.ts";
import { parseLink, parseNeighbor, parseRoute } from "./read_kernel.ts";
import { Undertaker } from "./undertaker.ts";

export interface AttachmentDriverOptions {
  readonly runner: CommandRunner;
  /** Absolute path of iproute2's ip. */
  readonly ip: string;
  /** Sysctls below net/; a link that has none of its own is not there. */
  readonly sysctls: { read(name: string): string | undefined; write(name: string, value: string): void };
  /** A process in the node's network namespace, in the pid namespace of the tools: this one. */
  readonly nodePid: number;
  /** What is at the path of a network namespace; undefined when nothing is, or when that cannot be told. */
  netnsAt(path: string): { readonly isLink: boolean; readonly id: string } | undefined;
}

/** A host end that is there, and not as it should be. */
interface BrokenEnd {
  readonly attachment: Attachment;
  /** What the link has. */
  readonly mac: string;
  readonly differences: readonly string[];
}

/** What no plugin and no pod changes: the addresses, and that there is some default route. */
const ANY_POD_END: ReportedPodEnd = { defaultRoutes: new Map([[4, []], [6, []]]) };

/** So many names may a batch have met that mean nothing any more, before it is started anew. */
const MAX_BURIED = 1000;

/** @returns a driver; its persistent processes start with the first call */
export function createAttachmentDriver(options: AttachmentDriverOptions): AttachmentDriver {
  return new SystemAttachmentDriver(options);
}

class SystemAttachmentDriver implements AttachmentDriver {
  readonly #options: AttachmentDriverOptions;
  readonly #batch: IpBatch;
  readonly #undertaker: Undertaker;
  /** Links that are gone, whose index the batch may still remember. */
  readonly #buried = new Set<string>();
  #marked: Promise<void> | undefined;

  constructor(options: AttachmentDriverOptions) {
    this.#options = options;
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
      for (const [name, value] of planSysctls(attachment)) this.#options.sysctls.write(name, value);
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
    for (const link of hostLinks) this.#buried.add(link);
    await this.#undertaker.bury(hostLinks);
  }

  async check(attachment: Attachment, reported?: ReportedPodEnd): Promise<readonly string[]> {
    const [host, pod] = await this.#readBothEnds(attachment);
    return [...this.#diffHost(attachment, host), ...diffPodEnd(attachment, pod, reported)];
  }

  async mend(attachment: Attachment): Promise<boolean> {
    checkWords(attachment);
    const { netns, netnsId } = attachment;
    const id = this.#options.netnsAt(netns)?.id ?? netnsId;
    if (netnsId !== undefined && id !== netnsId) return false;
    const [host, pod] = await this.#readBothEnds(attachment);
    if (host.link === undefined || pod.link === undefined) return false;
    if (this.#diffHost(attachment, host).length > 0) await this.repair([attachment]);
    if (diffPodEnd(attachment, pod, ANY_POD_END).length > 0) await this.#mendPodEnd(attachment, pod);
    return true;
  }

  async list(): Promise<readonly FoundAttachment[]> {
    const { runner, ip } = this.#options;
    const [links = [], routes] = await Promise.all([
      readIpJson(runner, [ip, "-j", "-d", "link", "show", "type", "veth"]),
      this.#routes(),
    ]);
    return links.map(parseLink).filter(({ name }) => HOST_LINK.test(name)).map(({ name, mtu, alias }) => {
      const own = routes.filter(({ link }) => link === name);
      const addresses = own.flatMap(({ destination }) => parseAddress(destination) ?? []);
      return { hostLink: name, ...parseAlias(alias), mtu, addresses };
    });
  }

  /**
   * Four reads for all of them together, whatever their number, and four more where something was broken: what is still so after
   * is not reported. What needs the pod's namespace is not repaired here.
   */
  async repair(attachments: readonly Attachment[]): Promise<readonly string[]> {
    if (attachments.length === 0) return [];
    await this.#mark(); // lo's mark keeps an ADD from taking the node's own namespace for a pod's
    const broken = await this.#broken(attachments);
    if (broken.length === 0) return [];
    await Promise.all(broken.map((each) => this.#restore(each)));
    const still = await this.#readHostEnds();
    return broken.flatMap(({ attachment, differences }) => {
      const end = still.get(attachment.hostLink);
      if (end === undefined) return [];
      const left = this.#diffHost(attachment, end);
      return differences.filter((difference) => !left.includes(difference));
    });
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
    if (this.#buried.has(attachment.hostLink) || this.#buried.size > MAX_BURIED) this.#renewBatch();
    const errors = await this.#batch.run(planHostEnd(attachment));
    if (errors !== "") throw failed(attachment, errors);
  }

  /** A default route of the family that is there may be a later plugin's, or the pod's own. @throws AttachFailed */
  async #mendPodEnd(attachment: Attachment, { routes }: KernelEnd): Promise<void> {
    await this.#markNode(attachment);
    const { runner, ip } = this.#options;
    const routed = ([4, 6] as const).filter((family) =>
      !routes.some((route) => route.family === family && route.destination === "default")
    );
    const argv = [ip, "-n", netnsName(attachment.netns), "-batch", "-"] as const;
    const result = await runner.run(argv, { stdin: `${planPodRepair(attachment, routed).join("\n")}\n` });
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
    const { runner, ip, nodePid } = this.#options;
    const argv = [ip, "-n", netnsName(attachment.netns), "-batch", "-"] as const;
    const result = await runner.run(argv, { stdin: `${planPodEnd(attachment, nodePid).join("\n")}\n` });
    if (result.code === 0) return undefined;
    const failure = explain(attachment, result.stderr);
    if (failure.fault === "ifnameExists") return failure;
    throw failure;
  }

  /**
   * Either end may be in the way of a link. A host end of the name that is another container's, or has no owner that we can read,
   * stays. What an ADD left that did not end goes: one of this very container, and one of our name with an empty alias, since the
   * alias comes with the first line for the host's end, after the link itself was made.
   */
  async #clearStaleLink(attachment: Attachment): Promise<void> {
    const { runner, ip } = this.#options;
    const { hostLink, containerId, ifname } = attachment;
    const links = await readIpJson(runner, [ip, "-j", "link", "show", "dev", hostLink]);
    const alias = links?.map(parseLink).find(({ name }) => name === hostLink)?.alias;
    if (alias === undefined) return;
    const owner = parseAlias(alias);
    if (alias === "" || (owner?.containerId === containerId && owner.ifname === ifname)) {
      return await this.detach([hostLink]);
    }
    throw new AttachFailed(
      "hostLinkTaken",
      `Cannot attach ${hostLink}: a link of that name belongs to ${quote(alias)}`,
    );
  }

  #diffHost(attachment: Attachment, end: KernelEnd): string[] {
    const differences = diffHostEnd(attachment, end);
    if (end.link === undefined) return differences;
    return [...differences, ...diffSysctls(attachment, (name) => this.#options.sysctls.read(name))];
  }

  /** Links that are gone are not broken: their end is somebody else's business. */
  async #broken(attachments: readonly Attachment[]): Promise<readonly BrokenEnd[]> {
    const ends = await this.#readHostEnds();
    return attachments.flatMap((attachment) => {
      const end = ends.get(attachment.hostLink);
      if (end?.link === undefined) return [];
      const differences = this.#diffHost(attachment, end);
      return differences.length === 0 ? [] : [{ attachment, mac: end.link.mac, differences }];
    });
  }

  /**
   * The MTU first, since below 1280 a link has no IPv6 sysctls. A MAC is set only where it is another: the kernel drops the
   * link's neighbours, permanent ones too, with every change (neigh_changeaddr()).
   *
   * @throws AttachFailed
   */
  async #restore({ attachment, mac }: BrokenEnd): Promise<void> {
    const { hostLink, mtu } = attachment;
    const link = [
      `link set dev ${hostLink} mtu ${mtu}`,
      ...(mac === HOST_MAC ? [] : [`link set dev ${hostLink} address ${HOST_MAC}`]),
    ];
    expectRestored(attachment, await this.#batch.run(link));
    for (const [name, value] of planSysctls(attachment)) this.#restoreSysctl(name, value);
    const lines = planHostEnd(attachment).filter((line) => !line.includes("addrgenmode"));
    expectRestored(attachment, await this.#batch.run(lines));
  }

  #restoreSysctl(name: string, value: string): void {
    const { sysctls } = this.#options;
    const now = sysctls.read(name);
    if (now !== undefined && now !== value) sysctls.write(name, value);
  }

  /** Of the pod's end all default routes: a later plugin's may go over another link. */
  #readBothEnds({ hostLink, ifname, netns }: Attachment): Promise<[host: KernelEnd, pod: KernelEnd]> {
    const { ip } = this.#options;
    return Promise.all([
      this.#readEnd([ip], { link: hostLink, routes: ["dev", hostLink] }),
      this.#readEnd([ip, "-n", netnsName(netns)], { link: ifname, routes: ["default"] }),
    ]);
  }

  async #readEnd(
    ip: [string, ...string[]],
    { link, routes }: { link: string; routes: readonly string[] },
  ): Promise<KernelEnd> {
    const { runner } = this.#options;
    const [links, routes4 = [], routes6 = [], neighbors] = await Promise.all([
      readIpJson(runner, [...ip, "-j", "address", "show", "dev", link]),
      readIpJson(runner, [...ip, "-j", "-4", "route", "show", ...routes]),
      readIpJson(runner, [...ip, "-j", "-6", "route", "show", ...routes]),
      readIpJson(runner, [...ip, "-j", "neigh", "show", "dev", link]),
    ]);
    return {
      link: links?.map(parseLink).find(({ name }) => name === link),
      routes: [
        ...routes4.map((raw) => parseRoute(raw, { family: 4, link })),
        ...routes6.map((raw) => parseRoute(raw, { family: 6, link })),
      ],
      neighbors: neighbors?.map((raw) => parseNeighbor(raw, link)) ?? [],
    };
  }

  async #readHostEnds(): Promise<ReadonlyMap<string, KernelEnd>> {
    const { runner, ip } = this.#options;
    const [links = [], routes, neighbors = []] = await Promise.all([
      readIpJson(runner, [ip, "-j", "address", "show"]),
      this.#routes(),
      readIpJson(runner, [ip, "-j", "neigh", "show", "nud", "permanent"]),
    ]);
    const own = links.map(parseLink).filter(({ name }) => HOST_LINK.test(name));
    const routesOf = Map.groupBy(routes, ({ link }) => link);
    const neighborsOf = Map.groupBy(neighbors.map((raw) => parseNeighbor(raw)), ({ link }) => link);
    return new Map(own.map((link) => {
      const { name } = link;
      return [name, { link, routes: routesOf.get(name) ?? [], neighbors: neighborsOf.get(name) ?? [] }];
    }));
  }

  async #routes(): Promise<ReturnType<typeof parseRoute>[]> {
    const { runner, ip } = this.#options;
    const words = ["route", "show", "proto", String(ROUTE_PROTOCOL)];
    const both = await Promise.all(([4, 6] as const).map(async (family) => {
      const routes = await readIpJson(runner, [ip, "-j", `-${family}`, ...words]) ?? [];
      return routes.map((raw) => parseRoute(raw, { family }));
    }));
    return both.flat();
  }
}

/** `ip -n` takes a name below /var/run/netns; from there any path can be reached. */
function netnsName(path: string): string {
  return `../../..${path}`;
}
