import type { Attachment, Repair } from "./attachment_driver.ts";
import { diffHostEnd, diffLoopback, diffSysctls, type KernelEnd } from "./diff_attachment.ts";
import { type IpReader, readEnd, readHostEnds, readLink } from "./kernel_ends.ts";
import type { KernelLink } from "./read_kernel.ts";
import type { LinkSysctls } from "./restore_end.ts";

/** A host end that is there, and not as it should be. */
export interface BrokenEnd {
  readonly attachment: Attachment;
  readonly link: KernelLink;
  readonly differences: readonly string[];
}

/**
 * Both ends of pods' links as the kernel has them, and what of them is not as it should be. Changes nothing. Every call
 * reads anew.
 */
export class AttachmentEnds {
  readonly #node: IpReader;

  constructor(
    private readonly options: {
      readonly runner: IpReader["runner"];
      /** Absolute path of iproute2's ip. */
      readonly ip: string;
      readonly sysctls: Pick<LinkSysctls, "read">;
    },
  ) {
    this.#node = { runner: options.runner, ip: [options.ip] };
  }

  /** @returns what differs of the host's end, its sysctls among it */
  diffHost(attachment: Attachment, end: KernelEnd): string[] {
    const differences = diffHostEnd(attachment, end);
    if (end.link === undefined) return differences;
    return [...differences, ...diffSysctls(attachment, (name) => this.options.sysctls.read(name))];
  }

  /** @returns what differs of the pod's `lo`. Costs a process only where there are anycast addresses */
  async diffLoopback(attachment: Attachment): Promise<string[]> {
    if ((attachment.anycast ?? []).length === 0) return [];
    return diffLoopback(attachment, await readLink(this.inPod(attachment), "lo"));
  }

  /** @returns both ends; of the pod's all default routes: a later plugin's may go over another link */
  readBoth(attachment: Attachment): Promise<[host: KernelEnd, pod: KernelEnd]> {
    const { hostLink, ifname } = attachment;
    return Promise.all([
      readEnd(this.#node, { link: hostLink, routes: ["dev", hostLink] }),
      readEnd(this.inPod(attachment), { link: ifname, routes: ["default"] }),
    ]);
  }

  /** @returns the host's ends of flock's name, by name, in four reads whatever their number */
  readHosts(): Promise<ReadonlyMap<string, KernelEnd>> {
    return readHostEnds(this.#node);
  }

  /** Links that are gone are not broken: their end is somebody else's business. */
  async findBroken(attachments: readonly Attachment[]): Promise<readonly BrokenEnd[]> {
    const ends = await this.readHosts();
    return attachments.flatMap((attachment) => {
      const end = ends.get(attachment.hostLink);
      if (end?.link === undefined) return [];
      const differences = this.diffHost(attachment, end);
      return differences.length === 0 ? [] : [{ attachment, link: end.link, differences }];
    });
  }

  /**
   * Says what became of a broken end that was to be mended. A link that went away meanwhile has nothing left to mend.
   *
   * @param how.ends as they are now
   * @param how.failures what kept it from being mended
   */
  judge(
    { attachment, differences }: BrokenEnd,
    { ends, failures }: { ends: ReadonlyMap<string, KernelEnd>; failures: readonly string[] },
  ): Repair {
    const end = ends.get(attachment.hostLink);
    if (end === undefined) return { mended: [], left: [] };
    const still = this.diffHost(attachment, end);
    return {
      mended: differences.filter((difference) => !still.includes(difference)),
      left: still.length === 0 ? [] : [...still, ...failures],
    };
  }

  /** @returns how to read in the pod's namespace */
  inPod({ netns }: Attachment): IpReader {
    return { runner: this.options.runner, ip: [this.options.ip, "-n", netnsName(netns)] };
  }
}

/** `ip -n` takes a name below /var/run/netns; from there any path can be reached. */
function netnsName(path: string): string {
  return `../../..${path}`;
}
