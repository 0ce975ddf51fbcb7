/** What `ip -j` prints, parsed once. Fields that flock does not need are left out; unknown ones are ignored. */
import type { CommandRunner } from "../exec/command_runner.ts";
import { type Argv, expectSuccess } from "../exec/command_runner.ts";
import { type Address, parseAddress } from "../ip/address.ts";

export interface KernelLink {
  readonly name: string;
  readonly mtu: number;
  readonly mac: string;
  readonly up: boolean;
  readonly alias: string;
  /** Addresses on the link; empty where only links were asked for. */
  readonly addresses: readonly Address[];
}

export interface KernelRoute {
  readonly link: string;
  /** Canonical text; `default` for the default route. */
  readonly destination: string;
  readonly gateway: string | undefined;
}

export interface KernelNeighbor {
  readonly link: string;
  readonly address: string;
  readonly mac: string;
  readonly permanent: boolean;
}

/** Reads one kind of thing with `ip -j WORDS`. @returns undefined when ip says that the link or namespace is missing */
export async function readJson(
  runner: CommandRunner,
  argv: Argv,
): Promise<readonly Readonly<Record<string, unknown>>[] | undefined> {
  const result = await runner.run(argv);
  if (result.code !== 0 && /does not exist|Cannot find device|Cannot open network namespace/.test(result.stderr)) {
    return undefined;
  }
  const { stdout } = expectSuccess(argv, result);
  const parsed: unknown = stdout.trim() === "" ? [] : JSON.parse(stdout);
  if (!Array.isArray(parsed)) throw new Error(`Cannot read ${argv.join(" ")}: it printed no list`);
  // ip prints an empty object for what a filter left out.
  return parsed.filter((entry): entry is Record<string, unknown> => typeof entry === "object" && entry !== null);
}

export function parseLink(raw: Readonly<Record<string, unknown>>): KernelLink {
  const infos = Array.isArray(raw["addr_info"]) ? raw["addr_info"] : [];
  const addresses = infos.flatMap((info: Record<string, unknown>) => parseAddress(String(info["local"])) ?? []);
  const flags = Array.isArray(raw["flags"]) ? raw["flags"] : [];
  return {
    name: String(raw["ifname"] ?? ""),
    mtu: Number(raw["mtu"]),
    mac: String(raw["address"] ?? ""),
    up: flags.includes("UP"),
    alias: String(raw["ifalias"] ?? ""),
    addresses,
  };
}

export function parseRoute(raw: Readonly<Record<string, unknown>>): KernelRoute {
  const gateway = raw["gateway"];
  const destination = String(raw["dst"] ?? "");
  return {
    link: String(raw["dev"] ?? ""),
    destination: parseAddress(destination)?.text ?? destination,
    gateway: typeof gateway === "string" ? parseAddress(gateway)?.text : undefined,
  };
}

/** @param link where ip was asked for one link only and does not repeat its name */
export function parseNeighbor(raw: Readonly<Record<string, unknown>>, link = ""): KernelNeighbor {
  const state = Array.isArray(raw["state"]) ? raw["state"] : [];
  const address = String(raw["dst"] ?? "");
  return {
    link: String(raw["dev"] ?? link),
    address: parseAddress(address)?.text ?? address,
    mac: String(raw["lladdr"] ?? ""),
    permanent: state.includes("PERMANENT"),
  };
}
