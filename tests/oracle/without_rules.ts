import { directionsOf } from "./defects.ts";
import type { RawPolicy, RawWorld } from "./raw_objects.ts";

/** @returns the same cluster; who is isolated still is, and nobody is allowed anything */
export function withoutRules(world: RawWorld): RawWorld {
  const policies = world.policies.map((policy): RawPolicy => ({
    metadata: policy.metadata,
    spec: {
      podSelector: policy.spec.podSelector ?? {},
      policyTypes: directionsOf(policy).map((direction) => direction === "ingress" ? "Ingress" : "Egress"),
    },
  }));
  return { ...world, policies };
}
