import type { PodIdentity } from "../cnispec/cni_args.ts";
import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import { type KubeClient, KubeError, type Watched } from "../kube/kube_client.ts";
import type { Logger } from "../log/logger.ts";
import { parsePod } from "../pod/parse_pod.ts";
import { isSamePod, type Pod } from "../pod/pod.ts";

/** What the agent must know of a pod to give it addresses. */
export interface PodFacts {
  readonly annotations: ReadonlyMap<string, string>;
  readonly image?: string;
  /** Absent when only the runtime could tell. */
  readonly pod?: Pod;
}

const ANNOTATION_PREFIX = "flock.fritzlab.net/";
const READ_TIMEOUT_MS = 3_000;
/** The API's UIDs have dashes (RFC 9562); kubelet's hash of a static pod has none. */
const STATIC_UID = /^[0-9a-f]+$/;

/** Finds a pod: in the watch, by a direct read when the watch is behind, or in what the runtime passed on. */
export class PodSource {
  constructor(
    private readonly pods: Watched<Pod>,
    private readonly kube: KubeClient,
    private readonly logger: Logger,
  ) {}

  /**
   * @param identity absent when the runtime named no pod (cnitool)
   * @param passedOn the pod's annotations as the runtime passed them (`io.kubernetes.cri.pod-annotations`), if it did
   * @throws CniError 11 when the pod cannot be learned now
   */
  async find(identity: PodIdentity | undefined, passedOn?: ReadonlyMap<string, string>): Promise<PodFacts> {
    if (identity === undefined) return factsOf(passedOn ?? new Map());
    const watched = this.pods.items.get(`${identity.namespace}/${identity.name}`);
    if (watched !== undefined && isSamePod(watched, identity)) return { ...watched, pod: watched };
    try {
      return await this.#read(identity, passedOn);
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      return this.#withoutApi(error, { identity, passedOn });
    }
  }

  async #read(identity: PodIdentity, passedOn?: ReadonlyMap<string, string>): Promise<PodFacts> {
    const path = `/api/v1/namespaces/${identity.namespace}/pods/${identity.name}`;
    const raw = await this.kube.get(path, { timeoutMs: READ_TIMEOUT_MS });
    const pod = raw === undefined ? undefined : parsePod(raw);
    if (pod !== undefined && isSamePod(pod, identity)) return { ...pod, pod };
    // Kubelet starts a static pod before it has written its mirror; that one has no annotations but what the runtime knows.
    if (STATIC_UID.test(identity.uid)) return factsOf(passedOn ?? new Map());
    throw tryAgain(identity, "the API server does not know it under this UID");
  }

  #withoutApi(
    error: KubeError,
    { identity, passedOn }: { identity: PodIdentity; passedOn: ReadonlyMap<string, string> | undefined },
  ): PodFacts {
    if (passedOn === undefined) throw tryAgain(identity, error.message);
    this.logger.warn("pod taken from the runtime", {
      pod: `${identity.namespace}/${identity.name}`,
      reason: error.message,
    });
    return factsOf(passedOn);
  }
}

function factsOf(passedOn: ReadonlyMap<string, string>): PodFacts {
  const own = [...passedOn].filter(([key]) => key.startsWith(ANNOTATION_PREFIX));
  return { annotations: new Map(own.map(([key, value]) => [key.slice(ANNOTATION_PREFIX.length), value])) };
}

function tryAgain(identity: PodIdentity, state: string): CniError {
  return new CniError(CNI_CODE.tryAgainLater, `Cannot read pod ${identity.namespace}/${identity.name}: ${state}`, {
    reason: "PodUnknown",
  });
}
