/** What kubelet does with pods, as far as a network plugin can tell: it never gives up, and counts its attempts. */
import { annotationsOf } from "../e2e/_service_pod.ts";
import type { CriClient, SandboxStatus } from "../lab/cri.ts";
import type { PodStatuses } from "./pod_status.ts";

/** A Pod that is bound to the node. */
export interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** What it has of its annotation `anycast`. */
  readonly anycast: readonly string[];
}

/** A pod whose sandbox runs. */
export interface LivePod {
  readonly pod: Pod;
  readonly sandbox: SandboxStatus;
  /** Whether it is Ready, as the API server was told; undefined: the server has not heard it yet. */
  readonly ready: boolean | undefined;
}

export interface KubeletEvents {
  /** A sandbox runs. */
  born(sandbox: SandboxStatus): void;
  /** A sandbox is about to be stopped, perhaps not for the first time. */
  dying(id: string): void;
  /** An attempt failed. */
  failed(pod: Pod, why: string): void;
}

export interface KubeletOptions {
  /** @returns the runtime that runs now */
  cri(): CriClient;
  /** Below which sandboxes make their cgroups. */
  readonly cgroupParent: string;
  readonly events: KubeletEvents;
  readonly statuses: PodStatuses;
}

const RETRY_MS = 500;
/**
 * Kubelet adds its own to every pod's, so that a runtime always has some to pass on: an ADD then needs no API server.
 */
const KUBELETS_OWN = { "kubernetes.io/config.source": "api" };

/** One pod's worker: its steps run one after the other, and each is tried until it is done. */
interface Worker {
  readonly pod: Pod;
  attempt: number;
  live: SandboxStatus | undefined;
  /** What its probe says. */
  ready: boolean;
  /** It must not get a sandbox any more. */
  unwanted: boolean;
  work: Promise<void>;
}

export class Kubelet {
  // uid -> its worker
  readonly #workers = new Map<string, Worker>();
  #given = false;

  constructor(private readonly options: KubeletOptions) {}

  /** Of pods that nobody is about to end. */
  get live(): readonly LivePod[] {
    return [...this.#workers.values()].flatMap(({ pod, live, ready, unwanted }) => {
      const told = this.options.statuses.isTold(pod.uid) ? ready : undefined;
      return live === undefined || unwanted ? [] : [{ pod, sandbox: live, ready: told }];
    });
  }

  /** Runs a pod. */
  run(pod: Pod): void {
    const worker: Worker = {
      ...{ pod, attempt: 0, live: undefined, ready: true, unwanted: false, work: Promise.resolve() },
    };
    this.#workers.set(pod.uid, worker);
    this.#then(worker, () => this.#start(worker));
  }

  /** Stops and removes a pod's sandboxes. @returns when they are gone */
  async end(uid: string): Promise<void> {
    this.options.statuses.forget(uid);
    await this.#finish(uid, (worker) => this.#clear(worker));
    this.#workers.delete(uid);
  }

  /** Stops a pod's sandbox and leaves it so; `end` removes it. */
  async stop(uid: string): Promise<void> {
    await this.#finish(uid, async (worker) => {
      await this.#each(worker, (id) => this.#stopSandbox(id));
      this.options.statuses.report(worker.pod, { phase: "Succeeded", addresses: [], ready: false });
    });
  }

  /** A pod's sandbox died: it gets another one. `died` makes it so. */
  replace(uid: string, died: (sandbox: SandboxStatus) => Promise<void>): void {
    const worker = this.#workers.get(uid);
    if (worker === undefined) return;
    this.#then(worker, async () => {
      const { live } = worker;
      if (live === undefined || worker.unwanted) return;
      worker.live = undefined;
      await died(live);
      await this.#clear(worker);
      await this.#start(worker);
    });
  }

  /** A pod's probe fails from now on, or no more. */
  flip(uid: string): void {
    const worker = this.#workers.get(uid);
    if (worker?.live === undefined || worker.unwanted) return;
    worker.ready = !worker.ready;
    this.#report(worker);
  }

  /** @returns when nobody has anything to do any more */
  async settled(): Promise<void> {
    const works = [...this.#workers.values()].map(({ work }) => work);
    await Promise.all(works);
    if ([...this.#workers.values()].some(({ work }) => !works.includes(work))) await this.settled();
  }

  /** Nothing is tried again any more. */
  giveUp(): void {
    this.#given = true;
  }

  async #finish(uid: string, step: (worker: Worker) => Promise<void>): Promise<void> {
    const worker = this.#workers.get(uid);
    if (worker === undefined) return;
    worker.unwanted = true;
    this.#then(worker, () => step(worker));
    await worker.work;
  }

  #then(worker: Worker, step: () => Promise<void>): void {
    worker.work = worker.work.then(step).catch((error) => this.options.events.failed(worker.pod, String(error)));
  }

  #report({ pod, live, ready }: Worker): void {
    this.options.statuses.report(pod, { phase: "Running", addresses: live?.addresses ?? [], ready });
  }

  async #start(worker: Worker): Promise<void> {
    const { cri, cgroupParent, events } = this.options;
    const annotations = { ...annotationsOf(worker.pod), ...KUBELETS_OWN };
    while (!worker.unwanted) {
      try {
        const attempt = worker.attempt++;
        const id = await cri().runSandbox({ ...worker.pod, annotations, attempt, cgroupParent });
        worker.live = await cri().sandboxStatus(id);
        if (!worker.unwanted) this.#report(worker);
        return events.born(worker.live);
      } catch (error) {
        events.failed(worker.pod, String(error));
        await this.#clear(worker);
        await this.#rest();
      }
    }
  }

  async #clear(worker: Worker): Promise<void> {
    await this.#each(worker, async (id) => {
      await this.#stopSandbox(id);
      await this.options.cri().removeSandbox(id);
    });
    worker.live = undefined;
  }

  async #stopSandbox(id: string): Promise<void> {
    this.options.events.dying(id);
    await this.options.cri().stopSandbox(id);
  }

  /** For each sandbox that the runtime has of the pod, again and again until it went well for all. */
  async #each({ pod }: Worker, step: (id: string) => Promise<void>): Promise<void> {
    for (;;) {
      try {
        const sandboxes = await this.options.cri().listSandboxes();
        for (const { id, uid } of sandboxes) if (uid === pod.uid) await step(id);
        return;
      } catch (error) {
        this.options.events.failed(pod, String(error));
        await this.#rest();
      }
    }
  }

  async #rest(): Promise<void> {
    if (this.#given) throw new Error("Cannot go on: the soak has ended");
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
