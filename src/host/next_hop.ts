/** The pods' IPv4 next hop: on `lo`, so that it is answered for on every veth, default route or not. */
export const NEXT_HOP = "169.254.1.1";
