import { assert } from "@std/assert";
import { AttachFailed, type Attachment } from "../../src/link/attachment_driver.ts";
import { MemoryGuard, type MemoryTables } from "../fakes/memory_guard.ts";
import { MemoryKernel } from "../fakes/memory_kernel.ts";
import type { Alteration } from "../fakes/memory_damage.ts";
import type { Gates } from "./gates.ts";
import type { Look, SeenLink } from "./look.ts";
import type { VisibleGround } from "./rig.ts";
import type { GroundDrivers, GuardDrift } from "./ground.ts";

/** A link of flock's name that is somebody else's: its alias says nothing. */
const FOREIGN = "flockdeadbeef";

/** The kernel in memory. */
export class MemoryGround implements VisibleGround {
  readonly kernel = new MemoryKernel();
  readonly tables: MemoryTables = { grants: undefined };

  constructor() {
    this.kernel.bare.set(FOREIGN, "");
  }

  open(gates: Gates): GroundDrivers {
    const { kernel } = this;
    const guard = new MemoryGuard(this.tables);
    const nft = <T>(what: string, effect: () => Promise<T>): Promise<T> =>
      gates.pass(`guard: ${what}`, effect, { lane: "nft" });
    return {
      driver: {
        attach: async (attachment) => {
          const { hostLink } = attachment;
          // The first gate is the pod's end and the link itself, the second the host's end with its alias.
          await gates.pass(`link: attach ${hostLink}`, () => {}).catch((error) => {
            throw new AttachFailed("failed", String(error));
          });
          await kernel.attach(attachment, () => gates.pass(`link: host end ${hostLink}`, () => {}));
        },
        detach: (hostLinks) => gates.pass(`link: detach ${hostLinks.join(" ")}`, () => kernel.detach(hostLinks)),
        check: (attachment) => gates.pass(`link: check ${attachment.hostLink}`, () => kernel.check(attachment)),
        list: () => gates.pass("link: list", () => kernel.list()),
        mend: (attachment) => gates.pass(`link: mend ${attachment.hostLink}`, () => kernel.mend(attachment)),
        repair: (attachments) => gates.pass("link: repair", () => kernel.repair(attachments)),
        rebind: (before, after) => gates.pass(`link: rebind ${after.hostLink}`, () => kernel.rebind(before, after)),
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
      close: () => Promise.resolve(),
    };
  }

  addNamespace(path: string): Promise<void> {
    this.kernel.namespaces.add(path);
    return Promise.resolve();
  }

  removeNamespace(path: string): Promise<void> {
    this.kernel.vanish(path);
    return Promise.resolve();
  }

  unname(path: string): Promise<void> {
    return Promise.resolve(this.kernel.unname(path));
  }

  alterPath(hostLink: string, what: Alteration): Promise<Attachment | undefined> {
    return Promise.resolve(this.kernel.alter(hostLink, what));
  }

  alterGuard(hostLink: string, what: GuardDrift): Promise<boolean> {
    const { grants } = this.tables;
    if (grants === undefined) return Promise.resolve(false);
    if (what === "tables") this.tables.grants = undefined;
    if (what === "foreign grant") grants.add(`${hostLink} 192.0.2.99`);
    const own = [...grants].find((grant) => grant.startsWith(`${hostLink} `));
    return Promise.resolve(what === "grant" ? own !== undefined && grants.delete(own) : true);
  }

  readSetting(name: string): string | undefined {
    return this.kernel.readSetting(name);
  }

  netnsAt(path: string): { readonly id: string } | undefined {
    return this.kernel.namespaces.at(path);
  }

  netnsGone(of: Parameters<MemoryKernel["netnsGone"]>[0]): boolean {
    return this.kernel.netnsGone(of);
  }

  async look(): Promise<Pick<Look, "links" | "grants" | "damaged">> {
    assert(this.kernel.bare.has(FOREIGN), `${FOREIGN} was somebody else's, and is gone`);
    const links = new Map<string, SeenLink>();
    for (const { hostLink, containerId, addresses } of await this.kernel.list()) {
      if (hostLink === FOREIGN) continue;
      links.set(hostLink, { containerId, addresses: addresses.map(({ text }) => text).sort() });
    }
    return { links, grants: this.tables.grants, damaged: this.kernel.damaged() };
  }

  reboot(): Promise<void> {
    this.kernel.reboot();
    this.kernel.bare.set(FOREIGN, "");
    this.tables.grants = undefined;
    return Promise.resolve();
  }
}
