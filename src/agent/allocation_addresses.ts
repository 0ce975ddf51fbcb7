/** What addresses an allocation has, and which of them are whose. */
import { type Address, FAMILIES, type Family, parseAddress } from "../ip/address.ts";
import type { Allocation } from "../ipam/allocation.ts";
import { type Claims, primaryClaim } from "../pod/claims.ts";

/** The fields that name addresses. */
export type AddressFields = Pick<Allocation, "ipv6" | "ipv4" | "claimed" | "secondary" | "anycast" | "loose">;

// An allocation never changes, and is asked for its addresses at every reconcile.
const parsedAddresses = new WeakMap<AddressFields, readonly Address[]>();
const parsedAnycast = new WeakMap<AddressFields, readonly Address[]>();

/** @returns the addresses of its interface, the one of each family that it is known by first, IPv6 before IPv4 */
export function addressesOf(allocation: AddressFields): readonly Address[] {
  return once(parsedAddresses, allocation, ({ ipv6, ipv4, secondary = [] }) => [ipv6, ipv4, ...secondary]);
}

/** @returns the addresses that the runtime is told of */
export function primariesOf({ ipv6, ipv4 }: AddressFields): readonly Address[] {
  return parseAll([ipv6, ipv4]);
}

/** @returns the address of that family that the runtime was told of, if the pod has the family */
export function primaryOf({ ipv6, ipv4 }: AddressFields, family: Family): string | undefined {
  return family === 6 ? ipv6 : ipv4;
}

/** @returns the addresses of its `lo` */
export function anycastOf(allocation: AddressFields): readonly Address[] {
  return once(parsedAnycast, allocation, ({ anycast = [] }) => anycast);
}

/** Says whether an address of the allocation's interface is its own by annotation, not from the pool. */
export function isClaimed({ claimed = [], secondary = [] }: AddressFields, { text, family }: Address): boolean {
  return claimed.includes(family) || secondary.includes(text);
}

/** @returns the addresses that came from the pool, and rest when they are freed */
export function pooledOf(allocation: AddressFields): readonly Address[] {
  return addressesOf(allocation).filter((address) => !isClaimed(allocation, address));
}

/** @returns what is on its way in or out, of the interface and of `lo` */
export function looseOf(
  { loose }: AddressFields,
): { readonly own: readonly Address[]; readonly shared: readonly Address[] } {
  return { own: parseAll(loose?.secondary ?? []), shared: parseAll(loose?.anycast ?? []) };
}

/**
 * @returns what claims become in a record: the first address of each family is the pod's own, the others are more of
 * its interface's
 */
export function fieldsOf(claims: Claims): AddressFields {
  const [ipv6, ipv4] = [primaryClaim(claims, 6), primaryClaim(claims, 4)];
  const claimed = FAMILIES.filter((family) => primaryClaim(claims, family) !== undefined);
  const secondary = claims.addresses.filter((address) => address !== ipv6 && address !== ipv4);
  return {
    ...(ipv6 === undefined ? {} : { ipv6: ipv6.text }),
    ...(ipv4 === undefined ? {} : { ipv4: ipv4.text }),
    ...(claimed.length === 0 ? {} : { claimed }),
    ...(secondary.length === 0 ? {} : { secondary: secondary.map(({ text }) => text) }),
    ...(claims.anycast.length === 0 ? {} : { anycast: claims.anycast.map(({ text }) => text) }),
  };
}

/** What of a record may change while its pod runs. */
export type MoreAddresses = Pick<AddressFields, "secondary" | "anycast" | "loose">;

/** @returns the record with these secondary, anycast and loose addresses in place of those it has */
export function withClaims(allocation: Allocation, { secondary = [], anycast = [], loose }: MoreAddresses): Allocation {
  const { secondary: _, anycast: __, loose: ___, ...rest } = allocation;
  const isLoose = loose !== undefined && loose.secondary.length + loose.anycast.length > 0;
  return {
    ...rest,
    ...(secondary.length === 0 ? {} : { secondary }),
    ...(anycast.length === 0 ? {} : { anycast }),
    ...(isLoose ? { loose } : {}),
  };
}

/** @returns the record as if what is loose were all there */
export function withLoose(allocation: Allocation): Allocation {
  const { secondary = [], anycast = [], loose } = allocation;
  return withClaims(allocation, {
    secondary: [...secondary, ...loose?.secondary ?? []],
    anycast: [...anycast, ...loose?.anycast ?? []],
  });
}

function once(
  known: WeakMap<AddressFields, readonly Address[]>,
  allocation: AddressFields,
  textsOf: (allocation: AddressFields) => readonly (string | undefined)[],
): readonly Address[] {
  const before = known.get(allocation);
  if (before !== undefined) return before;
  const addresses = parseAll(textsOf(allocation));
  known.set(allocation, addresses);
  return addresses;
}

function parseAll(texts: readonly (string | undefined)[]): readonly Address[] {
  return texts.flatMap((text) => {
    const address = text === undefined ? undefined : parseAddress(text);
    return address === undefined ? [] : [address];
  });
}
