import type { Address, Prefix } from "../ip/address.ts";

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
  /** Whether the conflist chains the `portmap` plugin. */
  readonly portmap: boolean;
  /** Absent: nothing is advertised. */
  readonly bgp?: {
    readonly asn: number;
    /** An IPv4 address. */
    readonly routerId?: Address;
    readonly peers: readonly { readonly address: Address; readonly asn: number }[];
  };
}
