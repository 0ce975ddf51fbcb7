/**
 * What the API server's own validation refuses, and an older or a broken one may have let in. Such a policy isolates
 * and allows nothing.
 */
import { bitsOfBlock } from "./ip_bits.ts";
import type { Direction } from "./packet.ts";
import type { RawBlock, RawPeer, RawPolicy, RawPort, RawRule, RawSelector } from "./raw_objects.ts";

/**
 * The directions that the policy isolates. Whoever does not say means ingress, and egress as well if there are rules
 * for it. What nobody knows might mean both.
 */
export function directionsOf({ spec }: RawPolicy): readonly Direction[] {
  const types = spec.policyTypes ?? [];
  if (types.some(isUnknownType)) return ["ingress", "egress"];
  if (types.length === 0) return (spec.egress ?? []).length > 0 ? ["ingress", "egress"] : ["ingress"];
  return types.map((type) => type === "Ingress" ? "ingress" : "egress");
}

/** Says whether any part that counts makes no sense. */
export function isDefective(policy: RawPolicy): boolean {
  const { spec } = policy;
  return !isReadable(spec.podSelector ?? {}) || (spec.policyTypes ?? []).some(isUnknownType) ||
    directionsOf(policy).some((direction) => (spec[direction] ?? []).some(isBadRule));
}

function isUnknownType(type: string): boolean {
  return type !== "Ingress" && type !== "Egress";
}

/** Says whether the selector's meaning is known. */
export function isReadable({ matchExpressions }: RawSelector): boolean {
  return (matchExpressions ?? []).every(({ operator, values }) => {
    const count = (values ?? []).length;
    if (operator === "In" || operator === "NotIn") return count > 0;
    return (operator === "Exists" || operator === "DoesNotExist") && count === 0;
  });
}

function isBadRule({ from, to, ports }: RawRule): boolean {
  return [...from ?? [], ...to ?? []].some(isBadPeer) || (ports ?? []).some(isBadPort);
}

function isBadPeer({ ipBlock, namespaceSelector, podSelector }: RawPeer): boolean {
  const selectors = [namespaceSelector, podSelector].flatMap((selector) => selector ?? []);
  if (selectors.some((selector) => !isReadable(selector))) return true;
  if (ipBlock === null || ipBlock === undefined) return selectors.length === 0;
  return selectors.length > 0 || isBadBlock(ipBlock);
}

function isBadBlock({ cidr, except }: RawBlock): boolean {
  const outer = bitsOfBlock(cidr);
  return outer === undefined || (except ?? []).some((hole) => {
    const inner = bitsOfBlock(hole);
    return inner?.digits !== outer.digits || !inner.prefix.startsWith(outer.prefix);
  });
}

function isBadPort({ protocol, port, endPort }: RawPort): boolean {
  if (!["TCP", "UDP", "SCTP"].includes(protocol ?? "TCP")) return true;
  if (typeof port !== "number") return endPort !== null && endPort !== undefined;
  const last = endPort ?? port;
  return port < 1 || last < port || last > 65535;
}
