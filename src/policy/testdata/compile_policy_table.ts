import { closedChain, compileChain, type CompiledChain } from "../compile_chain.ts";
import { chainNamesOf, isolatePod, isSelected } from "../isolate_pod.ts";
import { chainName } from "../names.ts";
import { DIRECTIONS, type NetworkPolicy } from "../network_policy.ts";
import type { IsolatedPod, PolicySet, PolicyTable } from "../policy_table.ts";
import type { Labels, PolicyWorld } from "../policy_world.ts";
import { elementsOfPod, elementsOfTarget, isInScope, type SetSource, setTypeOf } from "../set_source.ts";

const NO_LABELS: Labels = new Map();

export interface CompileOptions {
  /**
   * `namespace/name` of policies that allow nothing for now, because nft refuses what they say. They isolate as ever.
   */
  readonly quarantined?: ReadonlySet<string>;
}

/** Compiles the whole table from scratch: the reference for what PolicyCompiler does step by step. */
export function compilePolicyTable(world: PolicyWorld, options: CompileOptions = {}): PolicyTable {
  const pods = isolatePods(world);
  const asked = new Set([...pods.values()].flatMap(({ chains }) => Object.values(chains).flat()));
  const compiled = new Map([...compileAll(world, options)].filter(([name]) => asked.has(name)));
  const sources = new Map([...compiled.values()].flatMap(({ sources }) => [...sources]));
  return {
    sets: new Map([...sources].map(([name, source]) => [name, fillSet(source, world)])),
    chains: new Map([...compiled].map(([name, { chain }]) => [name, chain])),
    pods,
  };
}

function isolatePods({ targets, policies }: PolicyWorld): ReadonlyMap<string, IsolatedPod> {
  const pods = new Map<string, IsolatedPod>();
  for (const [link, target] of targets) {
    const selecting = [...policies].filter(([, policy]) => isSelected(target, policy));
    const isolated = isolatePod(target, selecting.map(([key, policy]) => chainNamesOf(key, policy)));
    if (isolated !== undefined) pods.set(link, isolated);
  }
  return pods;
}

function compileAll({ policies }: PolicyWorld, { quarantined }: CompileOptions): Map<string, CompiledChain> {
  const compileOne = (key: string, policy: NetworkPolicy): [string, CompiledChain][] =>
    DIRECTIONS.filter((direction) => policy.rules[direction] !== undefined).map((direction) => {
      const compiled = quarantined?.has(key) ? closedChain(direction) : compileChain(policy, direction);
      return [chainName(key, direction), compiled];
    });
  return new Map([...policies].flatMap(([key, policy]) => compileOne(key, policy)));
}

function fillSet(source: SetSource, { pods, namespaces, targets }: PolicyWorld): PolicySet {
  const elements = source.kind === "linkPort"
    ? [...targets].flatMap(([link, target]) => elementsOfTarget(source, { link, target }))
    : [...pods.values()]
      .filter((pod) => isInScope(source.scope, pod, namespaces.get(pod.namespace) ?? NO_LABELS))
      .flatMap((pod) => elementsOfPod(source, pod));
  return { type: setTypeOf(source), elements: new Set(elements) };
}
