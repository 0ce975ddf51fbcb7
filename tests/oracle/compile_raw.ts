/** The compiler under test, from objects of the API to the typed table. */
import { compilePolicyTable } from "../../src/policy/testdata/compile_policy_table.ts";
import { parseLabels } from "../../src/policy/parse_labels.ts";
import { parseNamedPorts } from "../../src/policy/parse_named_ports.ts";
import { parseNamespace } from "../../src/policy/parse_namespace.ts";
import { parseNetworkPolicy } from "../../src/policy/parse_network_policy.ts";
import { parsePolicyPod } from "../../src/policy/parse_policy_pod.ts";
import type { PolicyTable } from "../../src/policy/policy_table.ts";
import type { PolicyTarget, PolicyWorld } from "../../src/policy/policy_world.ts";
import { type LocalPod, podOf, type RawPod, type RawWorld } from "./raw_objects.ts";

/** @returns the table of a node that knows this of its cluster */
export function compileRaw(world: RawWorld): PolicyTable {
  return compilePolicyTable(parseWorld(world));
}

/** @returns the world as the agent's caches hold it */
export function parseWorld(world: RawWorld): PolicyWorld {
  return {
    policies: mapOf(world.policies, (raw) => [keyOf(raw), parseNetworkPolicy(raw)]),
    namespaces: mapOf(world.namespaces, (raw) => [raw.metadata.name, parseNamespace(raw)]),
    pods: mapOf(world.pods, (raw) => [keyOf(raw), parsePolicyPod(raw)]),
    targets: mapOf(world.local, (local) => [local.link, targetOf(world, local)]),
  };
}

function keyOf({ metadata: { namespace, name } }: Pick<RawPod, "metadata">): string {
  return `${namespace}/${name}`;
}

/** Leaves out what the parsers do. */
function mapOf<R, T>(items: readonly R[], read: (raw: R) => readonly [string, T | undefined]): Map<string, T> {
  const found = new Map<string, T>();
  for (const [key, value] of items.map(read)) if (value !== undefined) found.set(key, value);
  return found;
}

function targetOf(world: RawWorld, local: LocalPod): PolicyTarget {
  const pod = podOf(world, local);
  return {
    namespace: local.namespace,
    ...(pod !== undefined && { labels: parseLabels(pod.metadata.labels) }),
    ports: parseNamedPorts(pod?.spec),
    logDrops: false,
  };
}
