/** The few names, labels, numbers and addresses that random clusters are made of: few, so that they meet. */

export const NAMESPACES = ["a", "b", "c"] as const;
/** Of labels. */
export const KEYS = ["app", "tier", "example.com/zone"] as const;
export const VALUES = ["x", "y", ""] as const;
export const PORTS = [1, 80, 81, 8080, 65535] as const;
/** Of containers' ports. */
export const NAMES = ["http", "dns"] as const;
/** Around which blocks begin and end. */
export const SUBNETS = { 4: "10.0.0.", 6: "2001:db8::" } as const;
/** Of anybody who asks for it, on any node. */
export const ANYCAST = ["192.0.2.53", "2001:db8:a::53"] as const;
/** This node's and another's. */
export const NODES = [["10.0.0.14", "2001:db8::14"], ["10.0.0.15", "2001:db8::15"]] as const;
/** Neither pods nor nodes, most of them at the ends of blocks. */
export const OUTSIDE: readonly string[] = [
  ...["10.0.1.1", "198.51.100.1", "2001:db8:1::1", "3fff::1"],
  ...Array.from({ length: 17 }, (_, host) => [`${SUBNETS[4]}${host}`, `${SUBNETS[6]}${host.toString(16)}`]).flat(),
];
