import { assertEquals } from "@std/assert";
import { hostLinkName } from "../../src/hash/container_hash.ts";
import { compilePolicyTable } from "../../src/policy/testdata/compile_policy_table.ts";
import { parseNamespace } from "../../src/policy/parse_namespace.ts";
import { parseNetworkPolicy } from "../../src/policy/parse_network_policy.ts";
import { parsePolicyPod } from "../../src/policy/parse_policy_pod.ts";
import type { Filling } from "../lab/api/api_server.ts";
import { mergePatch } from "../lab/api/_patch.ts";
import { record } from "../lab/json.ts";
import { crowdPods, labelsOfLocal, LOCAL_PODS, PEERS_EACH, teamNamespaces, worldPolicies } from "./policy_world.ts";

/** @returns `namespace/name` or `name` -> what the parser makes of the object */
function parseAll<T>({ base, variants }: Filling, parse: (raw: unknown) => T | undefined): Map<string, T> {
  return new Map(variants.flatMap((variant): [string, T][] => {
    const object = record(mergePatch(base, variant));
    const { namespace, name } = record(object["metadata"]);
    const parsed = parse(object);
    return parsed === undefined ? [] : [[namespace === undefined ? `${name}` : `${namespace}/${name}`, parsed]];
  }));
}

Deno.test("the bench's world has as many policies for each pod of the node, and ten peers in each", () => {
  const each = 2;
  const policies = LOCAL_PODS * each;
  const pods = Array.from({ length: policies * PEERS_EACH }, (_, index) => ({ index }));
  const targets = Array.from({ length: LOCAL_PODS }, (_, n) => {
    const labels = new Map(Object.entries(labelsOfLocal(n)));
    return [hostLinkName(`local-${n}`), { namespace: "default", labels, ports: [], logDrops: false }] as const;
  });
  const table = compilePolicyTable({
    policies: parseAll(worldPolicies(0, policies), parseNetworkPolicy),
    namespaces: parseAll(teamNamespaces(), parseNamespace),
    pods: parseAll(crowdPods(pods), parsePolicyPod),
    targets: new Map(targets),
  });
  assertEquals([table.chains.size, table.sets.size], [policies, 2 * policies]);
  assertEquals(new Set([...table.sets.values()].map(({ elements }) => elements.size)), new Set([PEERS_EACH]));
  const asked = [...table.pods.values()].map(({ chains }) => chains.ingress?.length);
  assertEquals([asked.length, new Set(asked)], [LOCAL_PODS, new Set([each])]);
});
