import type { PolicySources, SourceChanges } from "../../src/agent/policy_sources.ts";
import type { NetworkPolicy } from "../../src/policy/network_policy.ts";
import type { Labels, PolicyPod } from "../../src/policy/policy_world.ts";

/** What an API server says that a test speaks for; every change rings. */
export class MemorySources implements Pick<PolicySources, "synced" | "policies" | "namespaces" | "pods" | "onChange"> {
  readonly policies = new Map<string, NetworkPolicy>();
  readonly namespaces = new Map<string, Labels>();
  readonly pods = new Map<string, PolicyPod>();
  readonly #listeners = new Set<(changed: SourceChanges) => void>();

  constructor(public synced = true) {}

  onChange(listener: (changed: SourceChanges) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  setPolicy(policy: NetworkPolicy): void {
    const key = `${policy.namespace}/${policy.name}`;
    this.policies.set(key, policy);
    this.#ring({ policies: new Set([key]) });
  }

  deletePolicy(key: string): void {
    this.policies.delete(key);
    this.#ring({ policies: new Set([key]) });
  }

  setPod(key: string, pod: PolicyPod): void {
    this.pods.set(key, pod);
    this.#ring({ pods: new Set([key]) });
  }

  /** All has been listed. */
  sync(): void {
    this.synced = true;
    this.#ring({});
  }

  #ring(changed: Partial<SourceChanges>): void {
    const none = new Set<string>();
    for (const listener of this.#listeners) listener({ policies: none, namespaces: none, pods: none, ...changed });
  }
}
