/** A packet that a node forwards or sends, with its destination after and its source before any translation. */
export interface Packet {
  /** The host end of the sending pod's link; `uplink`: from outside of the node; `node`: the node sends it. */
  readonly cameBy: string;
  /** The host end of the receiving pod's link, or `uplink`. */
  readonly leavesBy: string;
  readonly source: string;
  readonly destination: string;
  /** `icmp`: of the packet's family. `other`: a protocol without ports. */
  readonly protocol: "tcp" | "udp" | "sctp" | "icmp" | "other";
  /** The destination's; what has no ports is of port 0. */
  readonly port: number;
  /** What connection tracking says of it. */
  readonly state: "new" | "established" | "related" | "invalid";
}

export const UPLINK = "uplink";
export const NODE = "node";

export type Direction = "ingress" | "egress";
