/** What `ip -j` prints, parsed once. Fields that flock does not need are left out; unknown ones are ignored. */
import type { IpObject } from "../exec/read_ip_json.ts";
import { type Address, type Family, parseAddress } from "../ip/address.ts";

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
  readonly family: Family;
  /** Canonical text; `default` for the default route. */
  readonly destination: string;
  readonly gateway: string | undefined;
  /** Absent where the kernel has none, as for most IPv4 routes. */
  readonly metric?: number;
}

export interface KernelNeighbor {
  readonly link: string;
  readonly address: string;
  readonly mac: string;
  readonly permanent: boolean;
}

export function parseLink(raw: IpObject): KernelLink {
  const infos = Array.isArray(raw["addr_info"]) ? raw["addr_info"] : [];
  const addresses = infos.flatMap((info: IpObject) => parseAddress(String(info["local"])) ?? []);
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

/** @param of `link` where ip was asked for one link only and does not repeat its name */
export function parseRoute(raw: IpObject, { family, link = "" }: { family: Family; link?: string }): KernelRoute {
  const gateway = raw["gateway"];
  const destination = String(raw["dst"] ?? "");
  return {
    link: String(raw["dev"] ?? link),
    family,
    destination: parseAddress(destination)?.text ?? destination,
    gateway: typeof gateway === "string" ? parseAddress(gateway)?.text : undefined,
    ...(typeof raw["metric"] === "number" ? { metric: raw["metric"] } : {}),
  };
}

/** @param link where ip was asked for one link only and does not repeat its name */
export function parseNeighbor(raw: IpObject, link = ""): KernelNeighbor {
  const state = Array.isArray(raw["state"]) ? raw["state"] : [];
  const address = String(raw["dst"] ?? "");
  return {
    link: String(raw["dev"] ?? link),
    address: parseAddress(address)?.text ?? address,
    mac: String(raw["lladdr"] ?? ""),
    permanent: state.includes("PERMANENT"),
  };
}
