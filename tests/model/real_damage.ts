import type { Attachment } from "../../src/link/attachment_driver.ts";
import { NEXT_HOP } from "../../src/next_hop/next_hop.ts";
import { SYSCTL_DIR } from "../../src/paths/paths.ts";
import type { Alteration } from "../fakes/memory_damage.ts";

/** How an alteration is made, and what a shell says while it lasts; nothing when it does not. */
interface Recipe {
  readonly make: string;
  /** Prints something as long as all is well. Absent: links and routes tell. */
  readonly probe?: string;
}

interface Damaged {
  readonly hostLink: string;
  readonly end: "host" | "pod";
  readonly probe: string;
}

/** What others alter of paths in a real kernel. */
export class RealDamage {
  readonly #made = new Map<string, Damaged>();

  /** @param sh runs a command. @returns what it printed */
  constructor(private readonly sh: (command: string) => Promise<string>) {}

  /** @returns false when there is no such thing */
  async alter(attachment: Attachment, what: Alteration): Promise<boolean> {
    const { hostLink, addresses } = attachment;
    const hasIpv6 = addresses.some(({ family }) => family === 6);
    if (addresses.length === 0 || (what === "address" && !hasIpv6)) return false;
    const { make, probe } = recipeOf(attachment, what);
    await this.sh(`${make} || true`);
    const end = what === "pod end" ? "pod" : "host";
    if (probe !== undefined) this.#made.set(`${hostLink} ${what}`, { hostLink, end, probe });
    return true;
  }

  /** @returns host links whose ends somebody altered, and nobody has mended */
  async look(): Promise<{ host: ReadonlySet<string>; pod: ReadonlySet<string> }> {
    const ends = { host: new Set<string>(), pod: new Set<string>() };
    for (const [key, { hostLink, end, probe }] of this.#made) {
      const isWell = await this.sh(`${probe} || true`) !== "";
      const isThere = await this.sh(`ip link show ${hostLink} 2>/dev/null || true`) !== "";
      if (isWell || !isThere) this.#made.delete(key);
      else ends[end].add(hostLink);
    }
    return ends;
  }
}

function recipeOf({ hostLink, addresses, netns, ifname }: Attachment, what: Alteration): Recipe {
  const text = addresses[0]?.text ?? "";
  const inside = `ip -n ${netns.slice("/run/netns/".length)}`;
  const setting = `${SYSCTL_DIR}/ipv4/conf/${hostLink}/rp_filter`;
  const bits = text.includes(":") ? 128 : 32;
  switch (what) {
    case "link":
      return { make: `ip link delete ${hostLink}` };
    case "route":
      return { make: `ip route delete ${text}/${bits} dev ${hostLink} proto 70` };
    case "address":
      return {
        make: `ip address delete ${NEXT_HOP[6]}/64 dev ${hostLink}`,
        probe: `ip -6 address show dev ${hostLink} 2>/dev/null | grep ${NEXT_HOP[6]}/`,
      };
    case "neighbour":
      return {
        make: `ip neigh delete ${text} dev ${hostLink}`,
        probe: `ip neigh show ${text} dev ${hostLink} nud permanent 2>/dev/null`,
      };
    case "sysctl":
      return { make: `echo 2 >${setting}`, probe: `grep -x 0 ${setting} 2>/dev/null` };
    case "pod end":
      return {
        make: `${inside} address delete ${text}/${bits} dev ${ifname} 2>/dev/null`,
        probe: `${inside} address show dev ${ifname} 2>/dev/null | grep ' ${text}/'`,
      };
  }
}
