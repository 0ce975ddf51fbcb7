/** The pods' next hops: IPv6's on every host end; IPv4's on the node's `lo`, so that it is answered for on every veth, default route or not. */
export const NEXT_HOP = { 4: "169.254.1.1", 6: "fe80::1" } as const;

/** What is reached by them. Written out, since a batch of iproute2 has no `-6` and takes `default` for IPv4's. */
export const DEFAULT_ROUTE = { 4: "0.0.0.0/0", 6: "::/0" } as const;
