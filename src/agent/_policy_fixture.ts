/** Policies, and pods that they are about, over the agent's parts. */
import { assert } from "@std/assert";
import type { NetworkPolicy } from "../policy/network_policy.ts";
import { parseNetworkPolicy } from "../policy/parse_network_policy.ts";
import { type Fixture, know, openFixture, rawPod, request } from "./_agent_fixture.ts";

/** @returns what a policy of namespace `ns` comes to whose spec is this; one without isolates what comes to all pods of the namespace */
export function policyOf(name: string, spec: Record<string, unknown> = { podSelector: {} }): NetworkPolicy {
  const policy = parseNetworkPolicy({ metadata: { namespace: "ns", name }, spec });
  assert(policy !== undefined);
  return policy;
}

/** @returns one that lets TCP to this port in */
export function allowing(port: number, name = `allow-${port}`): NetworkPolicy {
  return policyOf(name, { podSelector: {}, ingress: [{ ports: [{ port }] }] });
}

/** ADD and DEL of pod `ns/web` in container `id`. */
export function requestOf(fixture: Fixture, verb: "ADD" | "DEL" | "CHECK", id = "c1"): Record<string, unknown> {
  const args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web;K8S_POD_UID=uid-1";
  return request(fixture, verb, { id, args });
}

/** A node whose watch knows pod `ns/web`, with these policies in force. */
export async function openPolicyFixture(...policies: readonly NetworkPolicy[]): Promise<Fixture> {
  const fixture = await openFixture();
  know(fixture, rawPod("web"));
  for (const each of policies) fixture.sources.setPolicy(each);
  await fixture.policies.settle();
  fixture.policyTable.asked.length = 0;
  return fixture;
}

/** @returns links of pods that the kernel isolates from what comes in */
export function isolated({ policyTable: { kernel } }: Fixture): string[] {
  return [...kernel.table?.sets.get("ingress_pods") ?? []].map((element) => element.split(" ")[0] ?? "");
}
