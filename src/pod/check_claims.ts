import type { Problem } from "../fault/invalid_input.ts";
import type { Address } from "../ip/address.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import { CLAIM_KEYS, claimProblem, type Claims } from "./claims.ts";

/** What a pod's claims must leave alone. */
export interface Surroundings {
  readonly config: Pick<NodeConfig, "bgp">;
  /** The node's own addresses, those of pods' links left out. */
  readonly hostAddresses: readonly { readonly address: Address; readonly link: string }[];
  /** Addresses of other nodes' surroundings, and what each is. */
  readonly otherAddresses: readonly { readonly address: Address; readonly what: string }[];
  /** Who has the address for himself, as `pod default/web-0`; undefined: nobody that is known. */
  holderOf(address: Address): string | undefined;
  /** Who has the address for himself or with others (`anycast`). */
  userOf(address: Address): string | undefined;
}

/** @returns one problem for each claim that is somebody else's address; none: the pod may have them all */
export function checkClaims(claims: Claims, surroundings: Surroundings): Problem[] {
  return CLAIM_KEYS.flatMap((key) =>
    claims[key].flatMap((address) => {
      const holder = key === "anycast" ? surroundings.holderOf(address) : surroundings.userOf(address);
      const rule = placeRule(address, surroundings) ?? (holder && `must not be an address that ${holder} has`);
      return rule === undefined ? [] : [claimProblem(key, address, rule)];
    })
  );
}

function placeRule({ text }: Address, { config, hostAddresses, otherAddresses }: Surroundings): string | undefined {
  const own = hostAddresses.find(({ address }) => address.text === text);
  if (own !== undefined) return `must not be the node's own address on ${own.link}`;
  const isPeer = config.bgp?.peers.some(({ address }) => address.text === text) ?? false;
  if (isPeer) return "must not be the address of a BGP peer";
  const other = otherAddresses.find(({ address }) => address.text === text);
  return other && `must not be ${other.what}`;
}
