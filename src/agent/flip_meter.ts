import type { Clock } from "../clock/clock.ts";
import type { Watched } from "../kube/kube_client.ts";
import { isServing, type Pod } from "../pod/pod.ts";
import type { Observer } from "../prometheus/metric_registry.ts";
import type { NodeView } from "./node_reconciler.ts";

/** A pod that turned Ready, or ceased to be, and of which BIRD has not been told yet. */
interface Flip {
  readonly serves: boolean;
  /** When the watch told of it, monotonic milliseconds. */
  readonly at: number;
}

export interface FlipMeterDependencies {
  /** The pods of this node. */
  readonly pods: Pick<Watched<Pod>, "items" | "onChange">;
  /** Has the label `change`: `advertise` or `withdraw`. */
  readonly took: Observer;
  readonly clock: Pick<Clock, "monotonic">;
}

/**
 * Measures the time from what a watch tells of a pod with anycast addresses until BIRD was told. By pod, not by pass: a pass that had
 * begun before knows nothing of the flip, and the one after it may end at once.
 */
export class FlipMeter {
  // `namespace/name` -> whether the pod was to serve when it was last looked at
  readonly #known = new Map<string, boolean>();
  // `namespace/name` -> what BIRD is to be told of
  readonly #pending = new Map<string, Flip>();
  /** What the first list tells of may have been so for days. */
  #heard = false;

  constructor(private readonly deps: FlipMeterDependencies) {
    deps.pods.onChange((changed) => {
      for (const key of changed) this.#hear(key);
      this.#heard = true;
    });
  }

  /** What the node tells its routers by now. A pod without a claim is waited for no more. */
  told({ bird, anycast }: Pick<NodeView, "bird" | "anycast">): void {
    if (!bird.applied || this.#pending.size === 0) return;
    const now = this.deps.clock.monotonic();
    const served = new Map<string, boolean>();
    for (const { owner, serves } of anycast) served.set(owner, serves || served.get(owner) === true);
    for (const [key, { serves, at }] of this.#pending) {
      const told = served.get(key);
      if (told !== undefined && told !== serves) continue;
      this.#pending.delete(key);
      if (told === undefined) continue;
      this.deps.took.observe({ change: serves ? "advertise" : "withdraw" }, (now - at) / 1000);
    }
  }

  #hear(key: string): void {
    const pod = this.deps.pods.items.get(key);
    const serves = pod !== undefined && pod.annotations.has("anycast") && isServing(pod);
    if (serves === (this.#known.get(key) ?? false)) return;
    if (serves) this.#known.set(key, true);
    else this.#known.delete(key);
    if (this.#heard) this.#pending.set(key, { serves, at: this.deps.clock.monotonic() });
  }
}
