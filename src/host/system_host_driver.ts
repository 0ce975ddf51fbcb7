/**
 * What belongs to the node as a whole, by way of iproute2 and sysctls. Ours after amnesia: blackhole routes of our own protocol
 * number, and 169.254.1.1/32 on `lo`. Sysctls have no owner: they are set, and never set back.
 */
import type { Argv, CommandRunner } from "../exec/command_runner.ts";
import { type IpObject, readIpJson } from "../exec/read_ip_json.ts";
import type { Prefix } from "../ip/address.ts";
import { POD_ROUTE_METRIC, ROUTE_PROTOCOL } from "../route_protocol/route_protocol.ts";
import { NEXT_HOP } from "../next_hop/next_hop.ts";
import type { HostChange, HostDriver, HostNetwork, HostState } from "./host_driver.ts";
import { FORWARDING6, planSettings } from "./plan_settings.ts";
import { canonicalDestination, listOf, parseNetwork } from "./read_network.ts";

export interface HostDriverOptions {
  readonly runner: Pick<CommandRunner, "run">;
  /** Absolute path of iproute2's ip. */
  readonly ip: string;
  /** Sysctls below net/. */
  readonly sysctls: { read(name: string): string | undefined; write(name: string, value: string): void };
}

/** @returns a driver that keeps nothing in memory */
export function createHostDriver(options: HostDriverOptions): HostDriver {
  return new SystemHostDriver(options);
}

class SystemHostDriver implements HostDriver {
  constructor(private readonly options: HostDriverOptions) {}

  async read(): Promise<HostNetwork> {
    const [links, default4, default6] = await Promise.all([
      this.#json("address", "show"),
      this.#json("-4", "route", "show", "default"),
      this.#json("-6", "route", "show", "default"),
    ]);
    return parseNetwork(links, { 4: default4, 6: default6 });
  }

  async apply(state: HostState, network: HostNetwork): Promise<HostChange> {
    const settings = this.#applySettings(state, network);
    const plans = [await planned(() => this.#planNextHop(state)), await planned(() => this.#planBlackholes(state))];
    const batch = await this.#batch(plans.flatMap(({ lines }) => lines));
    return {
      changed: [...settings.changed, ...batch.changed],
      left: [...settings.left, ...plans.flatMap(({ left }) => left), ...batch.left],
    };
  }

  #applySettings(state: HostState, network: HostNetwork): HostChange {
    const { sysctls } = this.options;
    const [changed, left]: [string[], string[]] = [[], []];
    let deaf = false;
    for (const [name, value] of planSettings(state, { network, read: (name) => sysctls.read(name) })) {
      // A link that was not told to go on listening would cost the node its default route.
      if (name === FORWARDING6 && deaf) continue;
      try {
        sysctls.write(name, value);
        changed.push(`sysctl ${name} = ${value}`);
      } catch (error) {
        left.push(String(error));
        deaf ||= name.endsWith("/accept_ra");
      }
    }
    return { changed, left };
  }

  async #planNextHop({ families }: HostState): Promise<string[]> {
    if (!families.includes(4)) return [];
    const [lo] = await this.#json("-4", "address", "show", "dev", "lo");
    const present = listOf(lo?.["addr_info"] ?? []).filter(({ local }) => local === NEXT_HOP[4]);
    const isWanted = ({ scope, prefixlen }: IpObject): boolean => scope === "host" && prefixlen === 32;
    if (present.some(isWanted)) return [];
    return [
      ...present.map(({ prefixlen }) => `address delete ${NEXT_HOP[4]}/${prefixlen} dev lo`),
      ...[`address add ${NEXT_HOP[4]}/32 dev lo scope host`, "link set dev lo up"],
    ];
  }

  async #planBlackholes({ blackholes }: HostState): Promise<string[]> {
    const words = ["route", "show", "type", "blackhole", "proto", String(ROUTE_PROTOCOL)];
    const lists = await Promise.all([this.#json("-4", ...words), this.#json("-6", ...words)]);
    const present = new Set(lists.flat().map(({ dst }) => canonicalDestination(String(dst))));
    const wanted = new Set(blackholes.map(({ text }) => text));
    const missing = blackholes.filter(({ text }) => !present.has(text));
    // Without the metric, so that one made beside another's route, or by an older flock, does not fail every pass.
    const remove = (prefix: string): string => `route del blackhole ${prefix} proto ${ROUTE_PROTOCOL}`;
    return [
      ...await Promise.all(missing.map((prefix) => this.#planBlackhole(prefix))),
      ...[...present].filter((prefix) => !wanted.has(prefix)).map(remove),
    ];
  }

  /**
   * A route of the same prefix and metric that is not ours is somebody else's, and stays: ours gets the next lower metric that is
   * free, so that it goes before theirs, as it did before they put it in the place of ours.
   */
  async #planBlackhole({ text, family }: Prefix): Promise<string> {
    const others = await this.#json(`-${family}`, "route", "show", "exact", text);
    const taken = new Set(others.map((route) => Number(route["metric"] ?? 0)));
    let metric = POD_ROUTE_METRIC;
    while (taken.has(metric)) metric--;
    return `route add blackhole ${text} proto ${ROUTE_PROTOCOL} metric ${metric}`;
  }

  async #json(...words: string[]): Promise<readonly IpObject[]> {
    return await readIpJson(this.options.runner, [this.options.ip, "-j", ...words]) ?? [];
  }

  /** Goes on after a line that fails. */
  async #batch(lines: readonly string[]): Promise<HostChange> {
    if (lines.length === 0) return { changed: [], left: [] };
    const argv: Argv = [this.options.ip, "-force", "-batch", "-"];
    try {
      const { code, stderr } = await this.options.runner.run(argv, { stdin: `${lines.join("\n")}\n` });
      if (code === 0) return { changed: lines, left: [] };
      const failed = new Set([...stderr.matchAll(/^Command failed -:(\d+)$/gm)].map(([, line]) => Number(line) - 1));
      const left = lines.filter((_, index) => failed.has(index)).map((line) => `Cannot ${line}`);
      const changed = failed.size === 0 ? [] : lines.filter((_, index) => !failed.has(index));
      return { changed, left: [...left, `ip said: ${stderr.trim().replaceAll("\n", "; ")}`] };
    } catch (error) {
      return { changed: [], left: [String(error)] };
    }
  }
}

/** @returns the lines that are planned, or why none could be */
async function planned(plan: () => Promise<string[]>): Promise<{ lines: readonly string[]; left: readonly string[] }> {
  try {
    return { lines: await plan(), left: [] };
  } catch (error) {
    return { lines: [], left: [String(error)] };
  }
}
