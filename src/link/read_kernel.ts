/** What `ip -j` prints, parsed once. Fields that flock does not need are left out; unknown ones are ignored. */
import type { IpObject } from "../exec/read_ip_json.ts";
import { type Address, type Family, parseAddress } from "../ip/address.ts";

export interface KernelLink {
  readonly name: string;
  readonly mtu: number;
  readonly mac: string;
  readonly up: boolean;
  /** Empty where it has none, and where ip was not asked for details. */
  readonly alias: string;
  /** False where it is told not to resolve neighbours. */
  readonly arp: boolean;
  /** The bridge, VRF and so on that it is a port of. */
  readonly master?: string;
  /** Addresses on the link; empty where only links were asked for. */
  readonly addresses: readonly KernelAddress[];
}

export interface KernelAddress extends Address {
  readonly length: number;
  /** Whether it is there for good: neither its life nor its preference ends. */
  readonly lasting: boolean;
}

export interface KernelRoute {
  readonly link: string;
  readonly family: Family;
  /** Canonical text; `default` for the default route. */
  readonly destination: string;
  readonly gateway: string | undefined;
  /** Absent where the kernel has none, as for most IPv4 routes. */
  readonly metric?: number;
  /** All else that ip says of it but flags: `scope link`, `type unreachable`, `metrics [{"mtu":100}]`. */
  readonly details: readonly string[];
}

/** ip's word for a lifetime without end. */
const FOREVER = 4294967295;
/** Keys of a route that are fields of their own, or say nothing: flags are the kernel's (`linkdown`), or go with a gateway (`onlink`). */
const ROUTE_FIELDS = new Set(["dst", "dev", "gateway", "metric", "protocol", "flags"]);

export interface KernelNeighbor {
  readonly link: string;
  readonly address: string;
  readonly mac: string;
  readonly permanent: boolean;
}

export function parseLink(raw: IpObject): KernelLink {
  const infos = Array.isArray(raw["addr_info"]) ? raw["addr_info"] : [];
  const master = raw["master"];
  const flags = Array.isArray(raw["flags"]) ? raw["flags"] : [];
  return {
    name: String(raw["ifname"] ?? ""),
    mtu: Number(raw["mtu"]),
    mac: String(raw["address"] ?? ""),
    up: flags.includes("UP"),
    alias: String(raw["ifalias"] ?? ""),
    arp: !flags.includes("NOARP"),
    ...(typeof master === "string" ? { master } : {}),
    addresses: infos.flatMap(parseLinkAddress),
  };
}

function parseLinkAddress(raw: IpObject): KernelAddress[] {
  const address = parseAddress(String(raw["local"]));
  if (address === undefined) return [];
  const lasting = raw["valid_life_time"] === FOREVER && raw["preferred_life_time"] === FOREVER;
  return [{ ...address, length: Number(raw["prefixlen"]), lasting }];
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
    details: Object.entries(raw).flatMap(detailOf),
  };
}

function detailOf([key, value]: [string, unknown]): string[] {
  if (ROUTE_FIELDS.has(key) || (key === "pref" && value === "medium")) return [];
  return [`${key} ${typeof value === "string" ? value : JSON.stringify(value)}`];
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
