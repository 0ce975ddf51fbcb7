/**
 * Pods' packet paths in the kernel, by way of iproute2. Ours after amnesia: links named `flock` and eight hexadecimal digits, whose
 * alias says for which container they are; and routes of our own protocol number over them.
 */
import { type CommandRunner, expectSuccess } from "../exec/command_runner.ts";
import { parseAddress } from "../ip/address.ts";
import { ROUTE_PROTOCOL } from "../route_protocol/route_protocol.ts";
import { AttachFailed, type Attachment, type AttachmentDriver, type FoundAttachment } from "./attachment_driver.ts";
import { diffHostEnd, diffPodEnd, type KernelEnd } from "./diff_attachment.ts";
import { IpBatch } from "./ip_batch.ts";
import { parseAlias } from "./link_alias.ts";
import { checkWords, planHostEnd, planLink, planPodEnd, planSysctls } from "./plan_attachment.ts";
import { parseLink, parseNeighbor, parseRoute, readJson } from "./read_kernel.ts";
import { Undertaker } from "./undertaker.ts";

export interface AttachmentDriverOptions {
  readonly runner: CommandRunner;
  /** Absolute path of iproute2's ip. */
  readonly ip: string;
  /** Sysctls below net/; a link that has none of its own is not there. */
  readonly sysctls: { read(name: string): string | undefined; write(name: string, value: string): void };
  /** Whether there is no such network namespace; false when that cannot be told. */
  netnsGone(path: string): boolean;
}

/** So many names may a batch have met that mean nothing any more, before it is started anew. */
const MAX_BURIED = 1000;
const HOST_LINK = /^flock[0-9a-f]{8}$/;

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
    await this.#expectNetns(attachment);
    if (this.#buried.has(attachment.hostLink) || this.#buried.size > MAX_BURIED) this.#renewBatch();
    await this.#addLink(attachment);
    try {
      for (const [name, value] of planSysctls(attachment)) this.#options.sysctls.write(name, value);
      await allOrFirstError([this.#setUpHostEnd(attachment), this.#setUpPodEnd(attachment)]);
    } catch (error) {
      await this.detach([attachment.hostLink]);
      throw error instanceof AttachFailed ? error : failed(attachment, String(error), error);
    }
  }

  async detach(hostLinks: readonly string[]): Promise<void> {
    for (const link of hostLinks) this.#buried.add(link);
    await this.#undertaker.bury(hostLinks);
  }

  async check(attachment: Attachment): Promise<readonly string[]> {
    const { hostLink, ifname, netns } = attachment;
    const [host, pod] = await Promise.all([
      this.#readEnd([this.#options.ip], hostLink),
      this.#readEnd([this.#options.ip, "-n", netnsName(netns)], ifname),
    ]);
    return [...diffHostEnd(attachment, host), ...diffPodEnd(attachment, pod)];
  }

  async list(): Promise<readonly FoundAttachment[]> {
    const { runner, ip } = this.#options;
    const [links = [], routes] = await Promise.all([
      readJson(runner, [ip, "-j", "-d", "link", "show", "type", "veth"]),
      this.#routes(),
    ]);
    return links.map(parseLink).filter(({ name }) => HOST_LINK.test(name)).map(({ name, mtu, alias }) => {
      const own = routes.filter(({ link }) => link === name);
      const addresses = own.flatMap(({ destination }) => parseAddress(destination) ?? []);
      return { hostLink: name, ...parseAlias(alias), mtu, addresses };
    });
  }

  /** Four reads for all of them together, whatever their number. What needs the pod's namespace is not repaired here. */
  async repair(attachments: readonly Attachment[]): Promise<readonly string[]> {
    if (attachments.length === 0) return [];
    const ends = await this.#readHostEnds();
    const broken = attachments.map((attachment) => {
      const end = ends.get(attachment.hostLink);
      return { attachment, differences: end === undefined ? [] : diffHostEnd(attachment, end) };
    }).filter(({ differences }) => differences.length > 0);
    await Promise.all(broken.map(({ attachment }) => this.#restore(attachment)));
    return broken.flatMap(({ differences }) => differences);
  }

  async close(): Promise<void> {
    await Promise.all([this.#batch.close(), this.#undertaker.close()]);
  }

  /** An unknown path would not merely fail the batch: ip ends over it, with whatever else was under way. */
  async #expectNetns({ netns, hostLink }: Attachment): Promise<void> {
    const { runner, ip, netnsGone } = this.#options;
    const missing = new AttachFailed(
      "netnsMissing",
      `Cannot attach ${hostLink}: there is no network namespace "${netns}"`,
    );
    if (netnsGone(netns)) throw missing;
    if (netns.startsWith("/run/netns/") || netns.startsWith("/var/run/netns/")) return;
    const probe = await runner.run([ip, "-n", netnsName(netns), "link", "show", "lo"]);
    if (probe.code !== 0) throw missing;
  }

  async #addLink(attachment: Attachment): Promise<void> {
    const error = await this.#batch.run([planLink(attachment)]);
    if (error === "") return;
    if (!error.includes("File exists")) throw linkFault(attachment, error);
    // Either end may be in the way. A host end of that name is nobody's: the caller knows of no other holder.
    await this.detach([attachment.hostLink]);
    this.#renewBatch();
    const again = await this.#batch.run([planLink(attachment)]);
    if (again !== "") throw linkFault(attachment, again);
  }

  #renewBatch(): void {
    this.#batch.renew();
    this.#buried.clear();
  }

  async #setUpHostEnd(attachment: Attachment): Promise<void> {
    const errors = await this.#batch.run(planHostEnd(attachment));
    if (errors !== "") throw failed(attachment, errors);
  }

  /** The one process that an attach costs. It stops at the first line that fails. */
  async #setUpPodEnd(attachment: Attachment): Promise<void> {
    const { runner, ip } = this.#options;
    const argv = [ip, "-n", netnsName(attachment.netns), "-batch", "-"] as const;
    const result = await runner.run(argv, { stdin: `${planPodEnd(attachment).join("\n")}\n` });
    if (/File exists\s+Command failed -:1\b/.test(result.stderr)) {
      throw new AttachFailed(
        "netnsIsHost",
        `Cannot attach ${attachment.hostLink}: "${attachment.netns}" is the node's own`,
      );
    }
    expectSuccess(argv, result);
  }

  async #restore(attachment: Attachment): Promise<void> {
    const errors = await this.#batch.run([
      `link set dev ${attachment.hostLink} mtu ${attachment.mtu}`,
      ...planHostEnd(attachment).filter((line) => !line.includes("addrgenmode")),
    ]);
    if (errors !== "" && !errors.includes("Cannot find device")) throw failed(attachment, errors);
  }

  async #readEnd(ip: [string, ...string[]], link: string): Promise<KernelEnd> {
    const { runner } = this.#options;
    const [links, routes4, routes6, neighbors] = await Promise.all([
      readJson(runner, [...ip, "-j", "address", "show", "dev", link]),
      readJson(runner, [...ip, "-j", "-4", "route", "show", "dev", link]),
      readJson(runner, [...ip, "-j", "-6", "route", "show", "dev", link]),
      readJson(runner, [...ip, "-j", "neigh", "show", "dev", link]),
    ]);
    return {
      link: links?.map(parseLink).find(({ name }) => name === link),
      routes: [...routes4 ?? [], ...routes6 ?? []].map((raw) => ({ ...parseRoute(raw), link })),
      neighbors: neighbors?.map((raw) => parseNeighbor(raw, link)) ?? [],
    };
  }

  async #readHostEnds(): Promise<ReadonlyMap<string, KernelEnd>> {
    const { runner, ip } = this.#options;
    const [links = [], routes, neighbors = []] = await Promise.all([
      readJson(runner, [ip, "-j", "address", "show"]),
      this.#routes(),
      readJson(runner, [ip, "-j", "neigh", "show", "nud", "permanent"]),
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
    const both = await Promise.all([
      readJson(runner, [ip, "-j", "-4", ...words]),
      readJson(runner, [ip, "-j", "-6", ...words]),
    ]);
    return both.flatMap((routes) => routes ?? []).map(parseRoute);
  }
}

/** `ip -n` takes a name below /var/run/netns; from there any path can be reached. */
function netnsName(path: string): string {
  return `../../..${path}`;
}

function linkFault(attachment: Attachment, error: string): AttachFailed {
  if (!error.includes("File exists")) return failed(attachment, error);
  const message =
    `Cannot attach ${attachment.hostLink}: "${attachment.netns}" has an interface ${attachment.ifname} already`;
  return new AttachFailed("ifnameExists", message);
}

function failed({ hostLink }: Attachment, state: string, cause?: unknown): AttachFailed {
  return new AttachFailed("failed", `Cannot attach ${hostLink}: ${state.trim()}`, { cause });
}

/** Waits for all of them even when one fails: nothing may still be at work when the failure is undone. */
async function allOrFirstError(work: readonly Promise<void>[]): Promise<void> {
  for (const part of await Promise.allSettled(work)) if (part.status === "rejected") throw part.reason;
}
