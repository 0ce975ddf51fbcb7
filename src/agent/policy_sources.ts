import type { Clock } from "../clock/clock.ts";
import type { KubeClient, KubeObject, Watched, WatchTarget } from "../kube/kube_client.ts";
import type { NetworkPolicy } from "../policy/network_policy.ts";
import type { Labels, PolicyPod } from "../policy/policy_world.ts";

const POLICIES = "/apis/networking.k8s.io/v1/networkpolicies";
const NAMESPACES = "/api/v1/namespaces";
const PODS = "/api/v1/pods";

/**
 * For so long after the last policy the cluster is still followed: whoever replaces one policy by another costs no
 * list.
 */
const LINGER_MS = 60_000;

const NONE: ReadonlySet<string> = new Set();
const NOTHING = new Map<string, never>();

/** The keys of what came, went or changed, by kind; each is to be looked up anew, and may say the same again. */
export interface SourceChanges {
  /** `namespace/name` */
  readonly policies: ReadonlySet<string>;
  /** `name` */
  readonly namespaces: ReadonlySet<string>;
  /** `namespace/name` */
  readonly pods: ReadonlySet<string>;
}

export interface PolicySourcesDependencies {
  readonly kube: Pick<KubeClient, "watch">;
  readonly clock: Clock;
  /** What is kept of each kind; undefined: nothing. Never throw. */
  readonly decode: {
    policy(object: KubeObject): NetworkPolicy | undefined;
    namespace(object: KubeObject): Labels | undefined;
    pod(object: KubeObject): PolicyPod | undefined;
  };
}

/**
 * What NetworkPolicy needs of the API server. Policies are followed always; namespaces and the pods of all nodes only
 * while there is a policy, since they are much and change often. What is known stays known while the server is away.
 */
export class PolicySources {
  readonly #policies: Watched<NetworkPolicy>;
  readonly #listeners = new Set<(changed: SourceChanges) => void>();
  readonly #stop = new AbortController();
  #cluster: Cluster | undefined;
  /** Aborted when the cluster is needed again; undefined: it is needed. */
  #lingering: AbortController | undefined;

  /** Starts following. */
  constructor(private readonly deps: PolicySourcesDependencies) {
    this.#policies = this.#watch({ path: POLICIES, decode: deps.decode.policy });
    this.#policies.onChange((policies) => this.#hearPolicies(policies));
  }

  /**
   * All that is needed has been listed once: the policies, and if there is one, the namespaces and pods. Turns false
   * again when the first policy comes.
   */
  get synced(): boolean {
    if (!this.#policies.synced) return false;
    return this.policies.size === 0 || (this.#cluster?.namespaces.synced === true && this.#cluster.pods.synced);
  }

  /** `namespace/name` -> policy */
  get policies(): ReadonlyMap<string, NetworkPolicy> {
    return this.#policies.items;
  }

  /** namespace -> its labels; empty while there is no policy */
  get namespaces(): ReadonlyMap<string, Labels> {
    return this.#cluster?.namespaces.items ?? NOTHING;
  }

  /** `namespace/name` -> pod of any node; empty while there is no policy */
  get pods(): ReadonlyMap<string, PolicyPod> {
    return this.#cluster?.pods.items ?? NOTHING;
  }

  /**
   * Rings for all that came together, after each list (with no keys if it said nothing new: `synced` may have become
   * true), and when namespaces and pods are forgotten (with all their keys).
   *
   * @returns the way to stop listening
   */
  onChange(listener: (changed: SourceChanges) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stop(): void {
    this.#stop.abort(new Error("stopped"));
    this.#lingering?.abort(new Error("stopped"));
    this.#policies.stop();
    this.#cluster?.stop();
  }

  #hearPolicies(policies: ReadonlySet<string>): void {
    if (this.#stop.signal.aborted) return;
    if (this.policies.size > 0) this.#needCluster();
    else void this.#leaveCluster();
    this.#ring({ policies });
  }

  #needCluster(): void {
    this.#lingering?.abort(new Error("needed again"));
    this.#lingering = undefined;
    this.#cluster ??= this.#followCluster();
  }

  async #leaveCluster(): Promise<void> {
    if (this.#cluster === undefined || this.#lingering !== undefined) return;
    const lingering = this.#lingering = new AbortController();
    await this.deps.clock.sleep(LINGER_MS, lingering.signal).catch(() => {});
    if (!lingering.signal.aborted) this.#forgetCluster();
  }

  #forgetCluster(): void {
    const { namespaces, pods } = this;
    this.#cluster?.stop();
    this.#cluster = undefined;
    this.#lingering = undefined;
    this.#ring({ namespaces: new Set(namespaces.keys()), pods: new Set(pods.keys()) });
  }

  #followCluster(): Cluster {
    const { decode } = this.deps;
    const namespaces = this.#watch({ path: NAMESPACES, decode: decode.namespace });
    const pods = this.#watch({ path: PODS, decode: decode.pod });
    const unlisten = [
      namespaces.onChange((changed) => this.#ring({ namespaces: changed })),
      pods.onChange((changed) => this.#ring({ pods: changed })),
    ];
    const stop = (): void => {
      for (const each of unlisten) each();
      namespaces.stop();
      pods.stop();
    };
    return { namespaces, pods, stop };
  }

  #watch<T>(target: WatchTarget<T>): Watched<T> {
    return this.deps.kube.watch(target);
  }

  #ring(changed: Partial<SourceChanges>): void {
    for (const listener of [...this.#listeners]) {
      listener({ policies: NONE, namespaces: NONE, pods: NONE, ...changed });
    }
  }
}

/** What is followed only while there is a policy. */
interface Cluster {
  readonly namespaces: Watched<Labels>;
  readonly pods: Watched<PolicyPod>;
  stop(): void;
}
