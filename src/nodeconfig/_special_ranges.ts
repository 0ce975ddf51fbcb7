import { parsePrefix, type Prefix } from "../ip/address.ts";

/** Ranges whose addresses are nobody's to route, as the CEL rules of crds/nodeconfig.yaml list them. */
export const SPECIAL_RANGES: readonly Prefix[] = [
  "::/64", // unspecified, loopback, IPv4-mapped
  "fe80::/10",
  "ff00::/8",
  "0.0.0.0/8",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "224.0.0.0/3", // multicast, reserved, broadcast
].flatMap((text) => parsePrefix(text) ?? []);
