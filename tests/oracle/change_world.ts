/** Clusters that become others, part by part, and the incremental compiler that follows. */
import type { PolicyCompiler } from "../../src/policy/policy_compiler.ts";
import type { PolicyWorld } from "../../src/policy/policy_world.ts";
import type { RawWorld } from "./raw_objects.ts";
import { NAMESPACES } from "./universe.ts";

/** Names end in a digit: `policy-3`, `pod-3`, `flock00000003`. */
const numberOf = (name: string): number => Number(name.slice(-1));
const FIRST_POD_BIT = 8;
const FIRST_NAMESPACE_BIT = 20;

/** As many bits as say of every part from which cluster it is. */
export const CHOICE_BITS = 24;

/**
 * @returns a cluster with parts of both.
 * @param choice a bit that is set takes the part from the second, or takes it away
 */
export function mixWorlds(first: RawWorld, second: RawWorld, choice: number): RawWorld {
  const mix = <T>(listOf: (world: RawWorld) => readonly T[], bitOf: (item: T) => number): T[] => [
    ...listOf(first).filter((item) => ((choice >> bitOf(item)) & 1) === 0),
    ...listOf(second).filter((item) => ((choice >> bitOf(item)) & 1) === 1),
  ];
  const names: readonly string[] = NAMESPACES;
  return {
    policies: mix(({ policies }) => policies, ({ metadata }) => numberOf(metadata.name)),
    namespaces: mix(
      ({ namespaces }) => namespaces,
      ({ metadata }) => FIRST_NAMESPACE_BIT + names.indexOf(metadata.name),
    ),
    pods: mix(({ pods }) => pods, ({ metadata }) => FIRST_POD_BIT + numberOf(metadata.name)),
    local: mix(({ local }) => local, ({ link }) => FIRST_POD_BIT + numberOf(link)),
  };
}

/**
 * Tells the compiler of all that is another than before, as a watch would: unknown objects are gone, in no order that
 * means anything.
 */
export function moveCompiler(
  compiler: PolicyCompiler,
  { before, after }: { before: PolicyWorld; after: PolicyWorld },
): void {
  const tell = <T>(
    mapOf: (world: PolicyWorld) => ReadonlyMap<string, T>,
    set: (key: string, value?: T) => void,
  ): void => {
    for (const key of new Set([...mapOf(before).keys(), ...mapOf(after).keys()])) set(key, mapOf(after).get(key));
  };
  tell(({ pods }) => pods, (key, pod) => compiler.setPod(key, pod));
  tell(({ policies }) => policies, (key, policy) => compiler.setPolicy(key, policy));
  tell(({ namespaces }) => namespaces, (name, labels) => compiler.setNamespace(name, labels));
  tell(({ targets }) => targets, (link, target) => compiler.setTarget(link, target));
}
