import { InvalidInput, quote } from "../fault/invalid_input.ts";
import type { Family } from "../ip/address.ts";
import type { AllocationRange, FamilyRequest } from "../ipam/ipam.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import { annotationField } from "./annotations.ts";
import { CLAIM_KEYS, claimProblem, type Claims, parseClaims, primaryClaim } from "./claims.ts";
import { matchRestriction, parseRestriction } from "./match_restriction.ts";
import { LOG_DROPS, parseSwitch } from "./parse_switch.ts";
import { type IpAlgoSource, type PodNames, resolveIpAlgo } from "./resolve_ip_algo.ts";

const SUPPORTED = new Set<string>(["ipv6", "ipv4", "cidr6", "cidr4", "ip-algo", LOG_DROPS, ...CLAIM_KEYS]);
/** Of annotations that are not supported; a pod may carry thousands. */
const MAX_WARNINGS = 8;

/** A pod's annotations (flock's own, their keys without the prefix) and the node's terms. */
export interface AddressTerms {
  readonly annotations: ReadonlyMap<string, string>;
  readonly config: NodeConfig;
}

/** What a pod asks of IPAM, IPv6 first, what it claims by itself, and what its owner should be told. */
export interface AddressRequest {
  /** Of families that `claims.addresses` does not cover. */
  readonly requests: readonly FamilyRequest[];
  readonly claims: Claims;
  readonly warnings: readonly string[];
}

/**
 * Decides which families a pod gets, from which ranges, and with what in its IPv6 host bits (spec sections 2 and 3).
 *
 * @throws InvalidInput naming the annotation, its value and the rule that it breaks; or saying that and why no family
 * is left
 */
export function resolveAddressRequest(input: AddressTerms & { readonly identity: PodNames }): AddressRequest {
  const { identity, annotations } = input;
  const claims = parseClaims(annotations);
  const terms = { ...input, claims };
  const [ipv6, ipv4] = [resolveFamily(6, terms), resolveFamily(4, terms)];
  if ("offBy" in ipv6 && "offBy" in ipv4) throw noFamilyLeft(identity, [ipv6.offBy, ipv4.offBy]);
  refuseMissingFamilies(claims, { 6: ipv6, 4: ipv4 });
  parseSwitch(LOG_DROPS, annotations.get(LOG_DROPS)); // others ask again; here a typing mistake shows
  const warnings = unsupportedAnnotations(annotations);
  const requests: FamilyRequest[] = [];
  if ("ranges" in ipv6) {
    const algo = resolveIpAlgo(ipAlgoSources(input), identity);
    requests.push({ family: 6, ranges: ipv6.ranges, identity: algo.identity });
    warnings.push(...algo.warnings);
  }
  if ("ranges" in ipv4) requests.push({ family: 4, ranges: ipv4.ranges });
  return { requests, claims, warnings };
}

/** Where a family's address comes from, or why there is none. */
type FamilyOutcome =
  | { readonly ranges: readonly AllocationRange[] }
  | { readonly claimed: true }
  | { readonly offBy: string };

function refuseMissingFamilies(claims: Claims, outcomes: Readonly<Record<Family, FamilyOutcome>>): void {
  const problems = CLAIM_KEYS.flatMap((key) =>
    claims[key].flatMap((address) => {
      const outcome = outcomes[address.family];
      if (!("offBy" in outcome)) return [];
      const rule = `must be of a family that the pod has, but IPv${address.family} is off by ${outcome.offBy}`;
      return [claimProblem(key, address, rule)];
    })
  );
  if (problems.length > 0) throw new InvalidInput(problems);
}

/**
 * Malformed values fail the ADD even where the family is off: a typing mistake shows at once, not on the day the family
 * comes on.
 */
function resolveFamily(
  family: Family,
  { annotations, config, claims }: AddressTerms & { readonly claims: Claims },
): FamilyOutcome {
  const wanted = parseSwitch(`ipv${family}`, annotations.get(`ipv${family}`));
  const text = annotations.get(`cidr${family}`);
  const restriction = text === undefined ? undefined : parseRestriction(family, text);
  if (wanted === false) return { offBy: `annotation ipv${family}` };
  if (wanted === undefined && !config.defaults[`ipv${family}`]) return { offBy: `spec.defaults.ipv${family}` };
  if (primaryClaim(claims, family) !== undefined) return { claimed: true };
  const nodeCidrs = family === 6 ? config.cidr6 : config.cidr4;
  if (restriction !== undefined) return { ranges: [matchRestriction(restriction, nodeCidrs)] };
  if (nodeCidrs.length > 0) return { ranges: nodeCidrs.map((nodeCidr) => ({ range: nodeCidr, nodeCidr })) };
  if (wanted !== true) return { offBy: `the node's lack of an IPv${family} CIDR` };
  const rule = `must not be true: node ${quote(config.name)} has no IPv${family} CIDR`;
  throw new InvalidInput([{ field: annotationField(`ipv${family}`), value: "true", rule }]);
}

function ipAlgoSources({ annotations, config }: AddressTerms): readonly IpAlgoSource[] {
  const [pod, node] = [annotations.get("ip-algo"), config.ipAlgo];
  return [
    ...(pod === undefined ? [] : [{ where: "pod" as const, text: pod }]),
    ...(node === undefined ? [] : [{ where: "NodeConfig" as const, text: node }]),
  ];
}

function unsupportedAnnotations(annotations: ReadonlyMap<string, string>): string[] {
  const keys = [...annotations.keys()].filter((key) => !SUPPORTED.has(key));
  const warnings = keys.slice(0, MAX_WARNINGS)
    .map((key) => `${annotationField(printable(key))} is not supported by this version`);
  const more = keys.length - warnings.length;
  return more > 0 ? [...warnings, `${more} more annotations are not supported by this version`] : warnings;
}

function noFamilyLeft({ namespace, name }: PodNames, [off6, off4]: readonly [string, string]): InvalidInput {
  const rule = `must have an address family, but IPv6 is off by ${off6} and IPv4 by ${off4}`;
  return new InvalidInput([{ field: "pod", value: `${namespace}/${name}`, rule }]);
}

/** The API server lets no key pass that is not plain; a runtime may. */
function printable(key: string): string {
  return quote(key).slice(1, -1);
}
