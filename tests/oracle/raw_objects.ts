/**
 * Objects as the API server sends them, as far as NetworkPolicy looks at them. Go's encoders leave out, write null and
 * write empty: each is told apart.
 */

type Maybe<T> = T | null;

export interface RawRequirement {
  readonly key: string;
  /** `In`, `NotIn`, `Exists`, `DoesNotExist`; others are a defect. */
  readonly operator: string;
  readonly values?: Maybe<readonly string[]>;
}

export interface RawSelector {
  readonly matchLabels?: Maybe<Readonly<Record<string, string>>>;
  readonly matchExpressions?: Maybe<readonly RawRequirement[]>;
}

export interface RawBlock {
  readonly cidr: string;
  readonly except?: Maybe<readonly string[]>;
}

export interface RawPeer {
  readonly podSelector?: Maybe<RawSelector>;
  readonly namespaceSelector?: Maybe<RawSelector>;
  readonly ipBlock?: Maybe<RawBlock>;
}

export interface RawPort {
  readonly protocol?: Maybe<string>;
  readonly port?: Maybe<number | string>;
  readonly endPort?: Maybe<number>;
}

export interface RawRule {
  /** In rules of ingress. */
  readonly from?: Maybe<readonly RawPeer[]>;
  /** In rules of egress. */
  readonly to?: Maybe<readonly RawPeer[]>;
  readonly ports?: Maybe<readonly RawPort[]>;
}

export interface RawMetadata {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels?: Maybe<Readonly<Record<string, string>>>;
  readonly annotations?: Maybe<Readonly<Record<string, string>>>;
  readonly deletionTimestamp?: string;
}

export interface RawPolicy {
  readonly metadata: RawMetadata;
  readonly spec: {
    readonly podSelector?: Maybe<RawSelector>;
    readonly policyTypes?: Maybe<readonly string[]>;
    readonly ingress?: Maybe<readonly RawRule[]>;
    readonly egress?: Maybe<readonly RawRule[]>;
  };
}

export interface RawContainer {
  readonly name: string;
  /** Of an init container: `Always` makes it a native sidecar. */
  readonly restartPolicy?: string;
  readonly ports?: Maybe<
    readonly { readonly name?: string; readonly containerPort: number; readonly protocol?: Maybe<string> }[]
  >;
}

export interface RawPod {
  readonly metadata: RawMetadata;
  readonly spec: {
    readonly hostNetwork?: boolean;
    readonly containers: readonly RawContainer[];
    readonly initContainers?: Maybe<readonly RawContainer[]>;
  };
  readonly status?: { readonly phase?: string; readonly podIPs?: Maybe<readonly { readonly ip: string }[]> };
}

export interface RawNamespace {
  readonly metadata: { readonly name: string; readonly labels?: Maybe<Readonly<Record<string, string>>> };
}

/** A pod's sandbox on this node. */
export interface LocalPod {
  /** Host end of its link. */
  readonly link: string;
  readonly namespace: string;
  /** Of a pod that the API server may not have told of yet. */
  readonly name: string;
  /** What it may send from and is reached at, whether the API server says so or not. */
  readonly addresses: readonly string[];
}

/** A cluster as one of its nodes sees it. */
export interface RawWorld {
  readonly policies: readonly RawPolicy[];
  readonly namespaces: readonly RawNamespace[];
  readonly pods: readonly RawPod[];
  readonly local: readonly LocalPod[];
}

/** @returns the pod of that name, unless the API server has not told of it */
export function podOf(world: RawWorld, { namespace, name }: Pick<LocalPod, "namespace" | "name">): RawPod | undefined {
  return world.pods.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
}

/** @returns its `podIPs`, and what it claims for itself */
export function addressesOf({ metadata, status }: RawPod): readonly string[] {
  const claims = ["anycast", "addresses"].map((key) => metadata.annotations?.[`flock.fritzlab.net/${key}`] ?? "");
  const claimed = claims.flatMap((list) => list.split(",")).map((entry) => entry.trim()).filter((entry) =>
    entry !== ""
  );
  return [...new Set([...(status?.podIPs ?? []).map(({ ip }) => ip), ...claimed])];
}
