import { type Address, contains, parsePrefix } from "../ip/address.ts";

/** Ranges no address of which can be a pod's own, each with what it is for (IANA's special-purpose registries). */
const SPECIAL = ([
  ["::/128", "the unspecified address"],
  ["0.0.0.0/8", "unspecified"],
  ["::1/128", "the loopback address"],
  ["127.0.0.0/8", "a loopback address"],
  ["::ffff:0:0/96", "an IPv4-mapped address"],
  ["fe80::/10", "a link-local address"],
  ["169.254.0.0/16", "a link-local address"],
  ["ff00::/8", "a multicast address"],
  ["224.0.0.0/4", "a multicast address"],
  ["240.0.0.0/4", "a reserved address"],
  ["::/64", "a reserved address"],
] as const).flatMap(([text, kind]) => {
  const range = parsePrefix(text);
  return range === undefined ? [] : [{ range, kind }];
});

/** @returns what the address is where no pod can have it, as `a loopback address`; undefined for one that a pod can have */
export function specialKind(address: Address): string | undefined {
  return SPECIAL.find(({ range }) => contains(range, address))?.kind;
}
