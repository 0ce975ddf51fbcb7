import type { Address, Prefix } from "../ip/address.ts";
import type { LogLevel } from "../log/logger.ts";

/** A NodeConfig (spec section 2), parsed and valid in itself. */
export interface NodeConfig {
  /** The node's name. */
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** Milliseconds since the epoch; the younger of two overlapping NodeConfigs is rejected. */
  readonly createdAt: number;
  readonly cidr6: readonly Prefix[];
  readonly cidr4: readonly Prefix[];
  readonly defaults: { readonly ipv6: boolean; readonly ipv4: boolean };
  /** The node-wide `ip-algo` annotation as written; checked where it is used, because an invalid one only warns. */
  readonly ipAlgo?: string;
  /** Bytes; absent: the uplink's. */
  readonly mtu?: number;
  /** What the agent logs: this, and what is worse. */
  readonly logLevel: LogLevel;
  /** Whether the conflist chains the `portmap` plugin. */
  readonly portmap: boolean;
  /** Absent: as if it were empty. */
  readonly metrics?: MetricsConfig;
  /** Absent: nothing is advertised. */
  readonly bgp?: Bgp;
}

/** The node's BGP speaker. */
export interface Bgp {
  readonly asn: number;
  /** An IPv4 address. */
  readonly routerId?: Address;
  readonly peers: readonly BgpPeer[];
  /** How many single addresses are announced at most. Absent: any number. */
  readonly maxAnnounced?: number;
  /** Of the node's CIDRs. */
  readonly aggregates?: RouteAttributes;
  /** Of the anycast addresses that its pods serve. */
  readonly anycast?: AnycastAttributes;
}

/** What routers are told along with a route. */
export interface RouteAttributes {
  /** RFC 1997: two numbers of 16 bits each. Sorted, each once. */
  readonly communities: readonly (readonly number[])[];
  /** RFC 8092: three numbers of 32 bits each. Sorted, each once. */
  readonly largeCommunities: readonly (readonly number[])[];
}

/** These make this node a backup of others that serve the same address. */
export interface AnycastAttributes extends RouteAttributes {
  /** Routers of one AS prefer the lower. Absent: not told. */
  readonly med?: number;
  /** How many times more than once the node's AS number stands in the path; routers prefer the shorter. */
  readonly prepend?: number;
}

/** One upstream router. */
export interface BgpPeer extends SessionOptions {
  readonly address: Address;
  readonly asn: number;
  /** Names the file with the session's password (TCP MD5, RFC 2385). Absent: there is none. */
  readonly password?: { readonly file: string };
}

/** How a session is held; what is absent is as BIRD has it, or as said. */
export interface SessionOptions {
  /** Seconds without a word after which the session is lost. Absent: 90. */
  readonly holdTime?: number;
  /** Absent: off. */
  readonly bfd?: Bfd;
  /** How many hops the router may be away. Absent: it is on a subnet of the node. */
  readonly multihop?: number;
  /** Packets that came over more hops than that are dropped (GTSM, RFC 5082). */
  readonly ttlSecurity?: true;
  /** Absent: on (RFC 4724). */
  readonly gracefulRestart?: false;
  /** IPv4 routes too, with IPv6 next hops (RFC 8950); with IPv6 peers only. */
  readonly extendedNextHop?: true;
  /** Routes that are taken of each family; what comes beyond is ignored. Absent: all. */
  readonly importLimit?: number;
}

/** Bidirectional forwarding detection (RFC 5880); intervals in milliseconds. */
export interface Bfd {
  readonly receiveInterval: number;
  readonly transmitInterval: number;
  /** So many packets may be missing before the session is lost. */
  readonly multiplier: number;
}

/** How a node's metrics are served. */
export interface MetricsConfig {
  /** `Node`: at every address of the node; `Loopback`: only to the node itself. */
  readonly bind: "Loopback" | "Node";
  readonly port: number;
  /** Whether there are series for each pod and each anycast address. */
  readonly perPod: boolean;
}

/** What is said of metrics where nothing is said. */
export const DEFAULT_METRICS: MetricsConfig = { bind: "Loopback", port: 9469, perPod: false };
