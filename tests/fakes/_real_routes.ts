import { type CommandRunner, expectSuccess } from "../../src/exec/command_runner.ts";
import { type IpObject, readIpJson } from "../../src/exec/read_ip_json.ts";
import { parseAddress } from "../../src/ip/address.ts";
import { IP } from "../../src/paths/paths.ts";
import type { RouteDriver } from "../../src/route/route_driver.ts";
import { ROUTE_PROTOCOL } from "../../src/route_protocol/route_protocol.ts";
import type { RouteBench } from "./_route_contract.ts";

export interface RealRouteBenchOptions {
  readonly runner: CommandRunner;
  openRoutes(): RouteDriver;
}

/** The network namespace of this process, with a namespace for each pod. */
export class RealRouteBench implements RouteBench {
  constructor(private readonly options: RealRouteBenchOptions) {}

  openRoutes(): RouteDriver {
    return this.options.openRoutes();
  }

  async addLink(link: string): Promise<void> {
    await this.ip("netns", "add", link);
    await this.ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", link);
    await this.ip("link", "set", link, "up");
    await this.ip("-n", link, "link", "set", "eth0", "up");
  }

  async removeLink(link: string): Promise<void> {
    await this.ip("link", "del", link);
    await this.ip("netns", "del", link);
  }

  async removeRoute(address: string): Promise<void> {
    await this.ip("route", "del", address);
  }

  async show(): Promise<Record<string, string[]>> {
    const { runner } = this.options;
    const words = ["route", "show", "proto", String(ROUTE_PROTOCOL)];
    const both = await Promise.all(["-4", "-6"].map((family) => readIpJson(runner, [IP, "-j", family, ...words])));
    return Object.fromEntries(
      both.flatMap((routes) => routes ?? []).flatMap((raw) => {
        const hops = Array.isArray(raw["nexthops"]) ? raw["nexthops"] : [raw];
        const shown = hops.filter(({ gateway }: IpObject) => gateway !== undefined)
          .map(({ gateway, dev }: IpObject) => `${gateway} dev ${dev}`);
        const address = parseAddress(String(raw["dst"]))?.text ?? raw["dst"];
        return shown.length === 0 ? [] : [[address, [...new Set(shown)].sort()]];
      }),
    );
  }

  /** @throws when ip fails */
  async ip(...words: readonly string[]): Promise<string> {
    const argv = [IP, ...words] as const;
    return expectSuccess(argv, await this.options.runner.run(argv)).stdout;
  }
}
