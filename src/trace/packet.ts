import type { Address } from "../ip/address.ts";
import type { Key } from "./ruleset.ts";

/** What of a packet rules look at. A key that it lacks matches nothing: `tcp dport` of a UDP packet. */
export type Packet = ReadonlyMap<Key, string>;

/** A packet that a node forwards or sends. */
export interface PacketDraft {
  /** The link that it came by; undefined: the node itself sends it. */
  readonly cameBy: string | undefined;
  /** The link that it leaves by. */
  readonly leavesBy: string;
  readonly source: Address;
  readonly destination: Address;
  readonly protocol: "tcp" | "udp" | "sctp" | "icmp" | "other";
  /** The destination's; absent where the protocol has none. */
  readonly port?: number;
  /** What connection tracking says of it; a connection's first packet is `new`. */
  readonly state: "new" | "established" | "related" | "invalid";
}

/** @returns the packet by the keys under which rules look at it */
export function packetOf(draft: PacketDraft): Packet {
  const { cameBy, leavesBy, source, destination, protocol, port, state } = draft;
  const header = source.family === 4 ? "ip" : "ip6";
  return new Map([
    // To nft the link of index 0 has no name.
    ["meta iif", cameBy ?? "0"],
    ...(cameBy === undefined ? [] : [["meta iifname", cameBy] as const]),
    ["meta oif", leavesBy],
    ["meta oifname", leavesBy],
    ["meta nfproto", `ipv${source.family}`],
    ["meta l4proto", protocol === "icmp" && source.family === 6 ? "icmpv6" : protocol],
    [`${header} saddr`, source.text],
    [`${header} daddr`, destination.text],
    ...(port === undefined ? [] : [[`${protocol} dport`, String(port)] as const]),
    ["ct state", state],
  ]);
}
