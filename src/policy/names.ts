/**
 * Names in the table. Those of what tenants name are hashes: nothing that they write reaches nft, all fits nft's 255 characters, and with 96 bits of SHA-256 nobody finds a
 * policy whose chain would take the place of another's.
 */
import { createHash } from "node:crypto";
import type { Direction } from "./network_policy.ts";

const HASH_DIGITS = 24;
const CHAIN_PREFIX: Readonly<Record<Direction, string>> = { ingress: "in_", egress: "out_" };
const POD_PREFIX: Readonly<Record<Direction, string>> = { ingress: "to_", egress: "from_" };

/** @returns 96 bits of the text's SHA-256, hexadecimal */
export function hashText(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, HASH_DIGITS);
}

/** @param policyKey `namespace/name`. @returns the chain of what the policy allows in one direction */
export function chainName(policyKey: string, direction: Direction): string {
  return CHAIN_PREFIX[direction] + hashText(policyKey);
}

/** @param link host end of the pod's link. @returns the pod's own chain of one direction, and the counter of what it drops */
export function podChainName(link: string, direction: Direction): string {
  return POD_PREFIX[direction] + link;
}

/** @returns the key of a policy, as in a PolicyWorld */
export function policyKeyOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}
