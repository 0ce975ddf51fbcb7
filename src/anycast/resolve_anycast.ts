import { type Address, compareIp, type Family } from "../ip/address.ts";
import type { ServiceHop, ServiceRoute } from "./service_route.ts";

/** What one allocation of this node has to do with anycast. One without anycast addresses may be among them, and leads to nothing. */
export interface AnycastClaim {
  /** `namespace/name` of the pod. */
  readonly owner: string;
  /** The host end of the veth; no two claims share one. */
  readonly link: string;
  /** The pod's own addresses, the primary one of each family before its others. */
  readonly unicast: readonly Address[];
  readonly anycast: readonly Address[];
  /** Of the allocation: `pending` until its addresses are bound. */
  readonly state: "pending" | "committed";
  /** `terminating` from its `deletionTimestamp` on, Ready or not; `unknown` where no pod is known for this allocation. */
  readonly pod: "ready" | "notReady" | "terminating" | "unknown";
}

/** Why a pod does not serve an address: the first that holds, in this order. */
export type AnycastRefusal = "pending" | "terminating" | "notReady" | "unknown" | "noUnicast" | "noRoute";

/**
 * Of one pod and one of its anycast addresses. `noUnicast`: the pod has no address of that family, through which it could be reached;
 * `noRoute`: nothing leads there all the same, which only the kernel can tell.
 */
export type AnycastDecision =
  | { readonly address: Address; readonly owner: string; readonly serves: true }
  | { readonly address: Address; readonly owner: string; readonly serves: false; readonly reason: AnycastRefusal };

export interface ResolvedAnycast {
  /** Of the addresses that somebody serves; sorted by address. */
  readonly routes: readonly ServiceRoute[];
  /** One for each claim of each address; sorted by address, then owner, then link. */
  readonly decisions: readonly AnycastDecision[];
}

interface Judged {
  readonly decision: AnycastDecision;
  readonly hop?: ServiceHop;
  readonly link: string;
}

/** Decides which pods of this node serve which anycast addresses, whatever the order of the claims (spec section 8). */
export function resolveAnycast(claims: readonly AnycastClaim[]): ResolvedAnycast {
  const judged = claims.flatMap(judge).sort(compareJudged);
  const users = Map.groupBy(judged.filter(({ hop }) => hop !== undefined), ({ decision }) => decision.address.text);
  return {
    routes: [...users.values()].flatMap(routeTo),
    decisions: judged.map(({ decision }) => decision),
  };
}

function judge(claim: AnycastClaim): Judged[] {
  const addresses = new Map(claim.anycast.map((address) => [address.text, address])).values();
  const { owner, link } = claim;
  return [...addresses].map((address) => {
    const via = nextHopOf(claim, address.family);
    if (typeof via === "string") return { decision: { address, owner, serves: false, reason: via }, link };
    return { decision: { address, owner, serves: true }, hop: { link, via }, link };
  });
}

function nextHopOf({ state, pod, unicast }: AnycastClaim, family: Family): Address | AnycastRefusal {
  if (state === "pending") return "pending";
  if (pod !== "ready") return pod;
  return unicast.find((own) => own.family === family) ?? "noUnicast";
}

/** @param users of one address */
function routeTo(users: readonly Judged[]): ServiceRoute[] {
  const hops = users.flatMap(({ hop }) => hop ?? []).sort(compareHops);
  return users.slice(0, 1).map(({ decision }) => ({ address: decision.address, hops }));
}

function compareJudged(a: Judged, b: Judged): number {
  return compareIp(a.decision.address, b.decision.address) || compareText(a.decision.owner, b.decision.owner) ||
    compareText(a.link, b.link);
}

function compareHops(a: ServiceHop, b: ServiceHop): number {
  return compareIp(a.via, b.via) || compareText(a.link, b.link);
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
