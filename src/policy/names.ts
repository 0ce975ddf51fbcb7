/**
 * Names in the table. Those of what tenants name are hashes: nothing that they write reaches nft, all fits nft's 255
 * characters, and with 96 bits of SHA-256 nobody finds a policy whose chain would take the place of another's.
 */
import { HOST_LINK } from "../hash/container_hash.ts";
import { sha256 } from "../hash/sha256.ts";
import type { Direction } from "./network_policy.ts";

/** The table's family and name, as commands take them. */
export const POLICY_TABLE = "inet flock-policy";

const HASH_DIGITS = 24;
const CHAIN_PREFIX: Readonly<Record<Direction, string>> = { ingress: "in_", egress: "out_" };
const POD_PREFIX: Readonly<Record<Direction, string>> = { ingress: "to_", egress: "from_" };

/** What nft's grammar has no other meaning for, whatever else it is. */
const NAME = /^[a-z][a-z0-9_]{0,63}$/;

/** @returns 96 bits of the text's SHA-256, hexadecimal */
export function hashText(text: string): string {
  return sha256(text).slice(0, HASH_DIGITS);
}

/** @param policyKey `namespace/name`. @returns the chain of what the policy allows in one direction */
export function chainName(policyKey: string, direction: Direction): string {
  return CHAIN_PREFIX[direction] + hashText(policyKey);
}

/**
 * @param link host end of the pod's link.
 * @returns the pod's own chain of one direction, and the counter of what it drops
 */
export function podChainName(link: string, direction: Direction): string {
  return POD_PREFIX[direction] + checkLink(link);
}

/** @param ports as rules begin with them. @returns the chain that accepts these ports */
export function portsChainName(ports: string): string {
  return `dports_${hashText(ports)}`;
}

/** @returns the map of one direction from links to the pods' own chains */
export function mapName(direction: Direction): string {
  return `${direction}_pods`;
}

/** @returns the name. @throws TypeError for what is no name of a set or chain */
export function checkName(name: string): string {
  if (!NAME.test(name)) throw new TypeError(`Cannot render name ${JSON.stringify(name)}: not of flock's table`);
  return name;
}

function checkLink(link: string): string {
  if (!HOST_LINK.test(link)) throw new TypeError(`Cannot render link ${JSON.stringify(link)}: not a host end`);
  return link;
}
