import type { Allocation } from "../ipam/allocation.ts";
import { isSamePod, type Pod } from "../pod/pod.ts";

/** @returns `namespace/name`; undefined when the runtime named no pod */
export function podNameOf(
  { pod }: { pod?: Pick<NonNullable<Allocation["pod"]>, "namespace" | "name"> },
): string | undefined {
  return pod === undefined ? undefined : `${pod.namespace}/${pod.name}`;
}

/**
 * Finds the pod that an allocation is for. A record that was rebuilt from the kernel does not know: the API server says which pod has its
 * addresses.
 *
 * @param pods `namespace/name` -> pod
 */
export function podOf(
  { pod: identity, ipv6, ipv4, secondary = [] }: Pick<Allocation, "pod" | "ipv6" | "ipv4" | "secondary">,
  pods: ReadonlyMap<string, Pod>,
): Pod | undefined {
  if (identity !== undefined) {
    const named = pods.get(`${identity.namespace}/${identity.name}`);
    return named !== undefined && isSamePod(named, identity) ? named : undefined;
  }
  const own = [ipv6, ipv4, ...secondary].filter((text) => text !== undefined);
  return [...pods.values()].find(({ hostNetwork, ips }) => !hostNetwork && own.some((text) => ips.includes(text)));
}
