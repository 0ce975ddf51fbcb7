import type { Case } from "./case.ts";

const ASKS: readonly (readonly [id: string, asks: string])[] = [
  ["NP-01", "an empty podSelector selects every pod of the namespace"],
  ["NP-02", "an empty podSelector as a peer is the policy's own namespace"],
  ["NP-03", "an empty namespaceSelector as a peer is every pod, nothing outside"],
  ["NP-04", "both selectors in one peer: and"],
  ["NP-05", "two peers: or"],
  ["NP-06", "a selector that is null, empty or absent: three things"],
  ["NP-07", "no from, or an empty one: everybody"],
  ["NP-08", "no ingress rules: nobody"],
  ["NP-09", "one empty ingress rule: everybody"],
  ["NP-10", "policyTypes inferred"],
  ["NP-11", "policyTypes Egress alone leaves ingress open"],
  ["NP-12", "except counts within its peer alone"],
  ["NP-13", "CIDRs with host bits, overlapping, repeated"],
  ["NP-14", "0.0.0.0/0 says nothing of IPv6"],
  ["NP-15", "ipBlock matches pods too"],
  ["NP-16", "empty ports: every port and protocol"],
  ["NP-17", "protocol without port: all of that protocol"],
  ["NP-18", "port without protocol: TCP"],
  ["NP-19", "endPort inclusive"],
  ["NP-20", "named ports of ingress, per pod"],
  ["NP-21", "named ports of egress, per destination"],
  ["NP-22", "a named port that nobody has matches nothing"],
  ["NP-23", "one port name in two containers"],
  ["NP-24", "ports of native sidecars"],
  ["NP-25", "an SCTP policy isolates TCP and UDP too"],
  ["NP-26", "ICMP: errors pass, echo by policy"],
  ["NP-27", "neighbour discovery always passes"],
  ["NP-28", "the pod's own node always reaches it"],
  ["NP-29", "other nodes are as anybody"],
  ["NP-30", "the pod always reaches its own node"],
  ["NP-31", "policies do not apply to hostNetwork pods"],
  ["NP-32", "hostNetwork pods are no peers"],
  ["NP-33", "a pod reaches itself"],
  ["NP-34", "a pod reaches itself by its Service"],
  ["NP-35", "replies pass"],
  ["NP-36", "a connection under way when a policy comes"],
  ["NP-37", "a deleted policy opens again"],
  ["NP-38", "labels of a namespace change"],
  ["NP-39", "labels of a pod change"],
  ["NP-40", "a namespace deleted and made anew"],
  ["NP-41", "a pod without an address"],
  ["NP-42", "a finished pod's address belongs to another by now"],
  ["NP-43", "a terminating pod is still guarded, and a peer"],
  ["NP-44", "a pod's address changes"],
  ["NP-45", "isolated from the first packet"],
  ["NP-46", "no window while the agent restarts"],
  ["NP-47", "no empty table before the first full list"],
  ["NP-48", "Services: policy sees the pod's address and port"],
  ["NP-49", "kube-proxy in every mode"],
  ["NP-50", "policy sees sources before SNAT"],
  ["NP-51", "two pods of one node: egress and ingress both count"],
  ["NP-52", "other chains' verdicts do not open ours, ours not theirs"],
  ["NP-53", "dual-stack: both families"],
  ["NP-54", "a pod's anycast address is covered too"],
  ["NP-55", "an anycast address as a source"],
  ["NP-56", "mapped addresses and fragments"],
  ["NP-57", "packets that connection tracking calls invalid"],
  ["NP-58", "no helpers"],
  ["NP-59", "many policies, huge sets"],
  ["NP-60", "very long names"],
  ["NP-61", "one bad policy closes its own pods alone"],
  ["NP-62", "no policy, the smallest table"],
  ["NP-63", "drop or reject"],
  ["NP-64", "two agents on one machine"],
];

// id -> why it has nothing to ask of flock
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["NP-58", "kernels assign no helper by themselves since 4.7, and flock assigns none"],
]);

// id -> where the tests stop short of it, and why
const DECIDED: ReadonlyMap<string, string> = new Map([
  ["NP-49", "nftables and iptables; the tests' kernel has no IPVS"],
]);

/** What implementations of NetworkPolicy get wrong. */
export const POLICY_CASES: readonly Case[] = ASKS.map(([id, asks]) => {
  const [doesNotApply, decided] = [ELSEWHERE.get(id), DECIDED.get(id)];
  return { id, asks, ...(doesNotApply && { doesNotApply }), ...(decided && { decided }) };
});
