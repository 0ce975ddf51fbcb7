import { assertEquals } from "@std/assert";
import { type Argv, expectSuccess } from "../../src/exec/command_runner.ts";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { netnsAt } from "../../src/host/netns_at.ts";
import { netnsGone } from "../../src/host/netns_gone.ts";
import { AttachFailed, type AttachmentDriver } from "../../src/link/attachment_driver.ts";
import { createAttachmentDriver } from "../../src/link/system_attachment_driver.ts";
import { createPacketGuard } from "../../src/nft/system_packet_guard.ts";
import { IP, NFT, SYSCTL_DIR } from "../../src/paths/paths.ts";
import { createSysctlTree } from "../../src/sysctl/sysctl_tree.ts";
import type { Gates } from "./gates.ts";
import type { Look, SeenLink } from "./look.ts";
import type { VisibleGround } from "./rig.ts";
import type { GroundDrivers } from "./world.ts";

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
    if (!this.#namespaces.delete(path)) return;
    await sh(`ip netns delete ${nameOf(path)}`);
    // The kernel takes the links away when it gets to it.
    for (let tries = 0; tries < 100; tries++) {
      const found = await this.#eye.list();
      if (!found.some(({ netns }) => netns === path)) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`Cannot remove ${path}: its link stays`);
  }

  async reboot(): Promise<void> {
    for (const path of [...this.#namespaces]) await this.removeNamespace(path);
    await sh("nft delete table inet flock; nft delete table arp flock; true");
  }

  async look(): Promise<Pick<Look, "links" | "grants">> {
    const links = new Map<string, SeenLink>();
    for (const { hostLink, containerId, addresses } of await this.#eye.list()) {
      links.set(hostLink, { containerId, addresses: addresses.map(({ text }) => text).sort() });
    }
    const foreign = links.delete("flockdeadbeef");
    assertEquals([foreign, await sh("nft list table inet foreign | wc -l")], [true, "2\n"], "what is not flock's");
    return { links, grants: await this.#grants() };
  }

  async close(): Promise<void> {
    await this.reboot();
    await this.#eye.close();
    await sh("ip link del dum0; ip link del flockdeadbeef; nft delete table inet foreign");
  }

  async #grants(): Promise<Set<string> | undefined> {
    const text = await sh("nft list table inet flock 2>/dev/null || true");
    if (text === "") return undefined;
    return new Set([...text.matchAll(/"(flock[0-9a-f]{8})" \. ([0-9a-f.:]+)/g)].map(([, link, ip]) => `${link} ${ip}`));
  }
}

function nameOf(path: string): string {
  return path.slice("/run/netns/".length);
}

async function sh(command: string): Promise<string> {
  const argv: Argv = ["/bin/sh", "-c", `PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${command}`];
  return expectSuccess(argv, await OPTIONS.runner.run(argv)).stdout;
}
