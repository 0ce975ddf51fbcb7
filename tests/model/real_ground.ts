import { assertEquals } from "@std/assert";
import { type Argv, expectSuccess } from "../../src/exec/command_runner.ts";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { netnsAt } from "../../src/host/netns_at.ts";
import { netnsGone } from "../../src/host/netns_gone.ts";
import { AttachFailed, type Attachment, type AttachmentDriver } from "../../src/link/attachment_driver.ts";
import { createAttachmentDriver } from "../../src/link/system_attachment_driver.ts";
import { createPacketGuard } from "../../src/nft/system_packet_guard.ts";
import { IP, NFT, SYSCTL_DIR } from "../../src/paths/paths.ts";
import { createSysctlTree } from "../../src/sysctl/sysctl_tree.ts";
import { podMacOf } from "../../src/hash/container_hash.ts";
import type { Alteration } from "../fakes/memory_damage.ts";
import type { Gates } from "./gates.ts";
import type { Look, SeenLink } from "./look.ts";
import type { VisibleGround } from "./rig.ts";
import { RealDamage } from "./real_damage.ts";
import type { GroundDrivers, GuardDrift } from "./ground.ts";

const OPTIONS = {
  runner: createSystemRunner(),
  ip: IP,
  sysctls: createSysctlTree(SYSCTL_DIR),
  nodePid: Deno.pid,
  netnsAt,
};

/** The machine's own kernel, in a namespace of its own. The drivers are the agent's; a crash throws them away. */
export class RealGround implements VisibleGround {
  readonly netnsAt = netnsAt;
  readonly netnsGone = netnsGone;
  /** A driver that only looks. */
  readonly #eye: AttachmentDriver = createAttachmentDriver(OPTIONS);
  readonly #namespaces = new Set<string>();
  /** Those without a path, which another mount of them keeps alive. */
  readonly #held = new Set<string>();
  readonly #damage = new RealDamage(sh);

  /** Somebody else's link, route and table: all must stay as they are. */
  async prepare(): Promise<void> {
    await sh("ip link add dum0 type bridge && ip link set dum0 up && ip address add 192.0.2.1/24 dev dum0");
    await sh("ip link add flockdeadbeef type veth peer name other0 && nft add table inet foreign");
  }

  open(gates: Gates): GroundDrivers {
    const driver = createAttachmentDriver(OPTIONS);
    const guard = createPacketGuard({ runner: OPTIONS.runner, nft: NFT });
    const nft = <T>(what: string, effect: () => Promise<T>): Promise<T> =>
      gates.pass(`guard: ${what}`, effect, { lane: "nft" });
    return {
      driver: {
        attach: (attachment) =>
          gates.pass(`link: attach ${attachment.hostLink}`, () => driver.attach(attachment)).catch((error) => {
            throw error instanceof AttachFailed ? error : new AttachFailed("failed", String(error));
          }),
        detach: (hostLinks) => gates.pass(`link: detach ${hostLinks.join(" ")}`, () => driver.detach(hostLinks)),
        check: (attachment) => gates.pass(`link: check ${attachment.hostLink}`, () => driver.check(attachment)),
        list: () => gates.pass("link: list", () => driver.list()),
        mend: (attachment) => gates.pass(`link: mend ${attachment.hostLink}`, () => driver.mend(attachment)),
        repair: (attachments) => gates.pass("link: repair", () => driver.repair(attachments)),
        rebind: (before, after) => gates.pass(`link: rebind ${after.hostLink}`, () => driver.rebind(before, after)),
        close: () => Promise.resolve(),
      },
      guard: {
        replace: (state) => nft("replace", () => guard.replace(state)),
        grant: (grants) => nft("grant", () => guard.grant(grants)),
        revoke: (grants) => nft("revoke", () => guard.revoke(grants)),
        drift: (state) => nft("drift", () => guard.drift(state)),
        check: (grants) => nft("check", () => guard.check(grants)),
        close: () => Promise.resolve(),
      },
      close: async () => {
        await Promise.all([driver.close(), guard.close()]);
      },
    };
  }

  async addNamespace(path: string): Promise<void> {
    if (this.#namespaces.has(path)) return;
    await sh(`ip netns add ${nameOf(path)}`);
    this.#namespaces.add(path);
  }

  async removeNamespace(path: string): Promise<void> {
    const [isNamed, isHeld] = [this.#namespaces.delete(path), this.#held.delete(path)];
    if (!isNamed && !isHeld) return;
    await sh(isNamed ? `ip netns delete ${nameOf(path)}` : `umount ${holdOf(path)} && rm ${holdOf(path)}`);
    // The kernel takes the links away when it gets to it.
    for (let tries = 0; tries < 100; tries++) {
      const found = await this.#eye.list();
      if (!found.some(({ netns }) => netns === path)) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`Cannot remove ${path}: its link stays`);
  }

  async unname(path: string): Promise<void> {
    if (!this.#namespaces.delete(path)) return;
    this.#held.add(path);
    await sh(`touch ${holdOf(path)} && mount --bind ${path} ${holdOf(path)} && ip netns delete ${nameOf(path)}`);
  }

  async alterPath(hostLink: string, what: Alteration): Promise<Attachment | undefined> {
    const found = (await this.#eye.list()).find((link) => link.hostLink === hostLink);
    const { containerId = "", ifname = "", netns = "" } = found ?? {};
    if (found === undefined || containerId === "") return undefined;
    const attachment = { ...found, containerId, ifname, netns, podMac: podMacOf(containerId) };
    return await this.#damage.alter(attachment, what) ? attachment : undefined;
  }

  async alterGuard(hostLink: string, what: GuardDrift): Promise<boolean> {
    const grants = await this.#grants();
    if (grants === undefined) return false;
    if (what === "tables") await sh("nft delete table inet flock; nft delete table arp flock");
    if (what === "foreign grant") await sh(`nft add element inet flock own4 '{ "${hostLink}" . 192.0.2.99 }'`);
    const [, address] = [...grants].find((grant) => grant.startsWith(`${hostLink} `))?.split(" ") ?? [];
    if (what !== "grant" || address === undefined) return what !== "grant";
    await sh(`nft delete element inet flock own${address.includes(":") ? 6 : 4} '{ "${hostLink}" . ${address} }'`);
    return true;
  }

  readSetting(name: string): string | undefined {
    return OPTIONS.sysctls.read(name);
  }

  async reboot(): Promise<void> {
    for (const path of [...this.#namespaces, ...this.#held]) await this.removeNamespace(path);
    await sh("nft delete table inet flock; nft delete table arp flock; true");
  }

  async look(): Promise<Pick<Look, "links" | "grants" | "damaged">> {
    const links = new Map<string, SeenLink>();
    for (const { hostLink, containerId, addresses } of await this.#eye.list()) {
      links.set(hostLink, { containerId, addresses: addresses.map(({ text }) => text).sort() });
    }
    const foreign = links.delete("flockdeadbeef");
    assertEquals([foreign, await sh("nft list table inet foreign | wc -l")], [true, "2\n"], "what is not flock's");
    const unnamed = await this.#unnamedLinks();
    const { host, pod } = await this.#damage.look();
    return { links, grants: await this.#grants(), damaged: { host, pod: pod.union(unnamed) } };
  }

  async close(): Promise<void> {
    await this.reboot();
    await this.#eye.close();
    await sh("ip link del dum0; ip link del flockdeadbeef; nft delete table inet foreign");
  }

  async #unnamedLinks(): Promise<Set<string>> {
    const links = await this.#eye.list();
    return new Set(links.flatMap(({ hostLink, netns = "" }) => this.#held.has(netns) ? [hostLink] : []));
  }

  async #grants(): Promise<Set<string> | undefined> {
    const text = await sh("nft list table inet flock 2>/dev/null || true");
    if (text === "") return undefined;
    return new Set([...text.matchAll(/"(flock[0-9a-f]{8})" \. ([0-9a-f.:]+)/g)].map(([, link, ip]) => `${link} ${ip}`));
  }
}

/** Where a namespace without a path of its own is mounted. */
function holdOf(path: string): string {
  return `/run/held-${nameOf(path)}`;
}

function nameOf(path: string): string {
  return path.slice("/run/netns/".length);
}

async function sh(command: string): Promise<string> {
  const argv: Argv = ["/bin/sh", "-c", `PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${command}`];
  return expectSuccess(argv, await OPTIONS.runner.run(argv)).stdout;
}
