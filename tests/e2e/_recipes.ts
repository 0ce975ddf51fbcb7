/** What the policies of these tests are made of. */
import type { KubeObject } from "../lab/lab_api.ts";
import { CLIENT } from "../lab/topology.ts";
import type { Neighbour, Neighbourhood } from "./_neighbourhood.ts";
import { underPolicies } from "./_policy_pods.ts";

export const ALL = {};
export const DENY_INGRESS = { podSelector: ALL, policyTypes: ["Ingress"] };
export const DENY_EGRESS = { podSelector: ALL, policyTypes: ["Egress"] };
export const DENY_ALL = { podSelector: ALL, policyTypes: ["Ingress", "Egress"] };
export const DB = { matchLabels: { role: "db" } };
export const FRONTEND = { matchLabels: { role: "frontend" } };
export const OUTSIDE = [{ ipBlock: { cidr: `${CLIENT[4]}/32` } }, { ipBlock: { cidr: `${CLIENT[6]}/128` } }];

export function inDefault({ namespace }: Neighbour): boolean {
  return namespace === "default";
}

/** The truth of a default deny of `default`, in both directions. */
export function apart({ from, to }: { readonly from: Neighbour; readonly to: Neighbour }): boolean {
  return !inDefault(from) && !inDefault(to);
}

/** @param policies that go when the task is done */
export function under(
  { lab }: Neighbourhood,
  policies: Readonly<Record<string, KubeObject>>,
  task: () => Promise<void>,
): Promise<void> {
  return underPolicies(lab, policies, task);
}
