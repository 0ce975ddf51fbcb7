/** What kubelet says of its pods to the API server: it tries until the server takes it. */
import type { LabApi } from "../lab/lab_api.ts";
import { ApiRefused } from "../lab/lab_api.ts";
import type { Pod } from "./kubelet.ts";

export type PodPhase = "Running" | "Succeeded";

const RETRY_MS = 1_000;

export interface PodReport {
  readonly phase: PodPhase;
  readonly addresses: readonly string[];
  readonly ready: boolean;
}

export class PodStatuses {
  readonly #told = new WeakSet<object>();
  // uid -> what the API server must be told; absent: nothing, or nothing any more
  readonly #wanted = new Map<string, object>();

  constructor(private readonly api: LabApi) {}

  /** Tells of a pod from now on, in place of what was to be told of it before. */
  report(pod: Pod, { phase, addresses, ready }: PodReport): void {
    const ips = addresses.length === 0 ? {} : { podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })) };
    const condition = { type: "Ready", status: ready ? "True" : "False", lastTransitionTime: new Date().toISOString() };
    const wanted = { phase, ...ips, conditions: [condition] };
    this.#wanted.set(pod.uid, wanted);
    void this.#tell(pod, wanted);
  }

  /** Says whether the server has heard the last of what was to be told of the pod. */
  isTold(uid: string): boolean {
    return this.#told.has(this.#wanted.get(uid) ?? {});
  }

  /** Nothing is told of the pod any more: it goes. */
  forget(uid: string): void {
    this.#wanted.delete(uid);
  }

  /** The UID keeps it from another pod of that name. A pod that is not there needs no status. */
  async #tell({ namespace, name, uid }: Pod, wanted: object): Promise<void> {
    while (this.#wanted.get(uid) === wanted) {
      try {
        await this.api.patch(`/api/v1/namespaces/${namespace}/pods/${name}/status`, {
          metadata: { uid },
          status: wanted,
        });
        return void this.#told.add(wanted);
      } catch (error) {
        if (error instanceof ApiRefused && [404, 409].includes(error.status)) return;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}
