import type { RpcVerb } from "../rpc/rpc.ts";

/** One request of the plugin, as the agent took it. */
export interface Call {
  /** Of `newRequestId`. */
  readonly requestId: string;
  /** Monotonic milliseconds. */
  readonly arrivedAt: number;
}

/** How a request that names a container ended. */
export interface RequestRecord {
  readonly requestId: string;
  readonly verb: RpcVerb;
  /** When it was answered; wall clock, milliseconds since the epoch. */
  readonly at: number;
  /** Milliseconds from its arrival to the answer. */
  readonly ms: number;
  /** Why it was refused; absent: it was not. */
  readonly error?: string;
}

/** Containers that are remembered: those of a full node, and as many that have gone. */
const MAX_CONTAINERS = 1024;

/** Remembers the last request of each container, for `flock inspect`; in memory alone. */
export class LastRequests {
  readonly #last = new Map<string, RequestRecord>(); // container id -> its last request, the newest in the end

  note(containerId: string, record: RequestRecord): void {
    this.#last.delete(containerId);
    this.#last.set(containerId, record);
    const [oldest] = this.#last.keys();
    if (this.#last.size > MAX_CONTAINERS && oldest !== undefined) this.#last.delete(oldest);
  }

  /** @returns undefined when none is remembered */
  lastOf(containerId: string): RequestRecord | undefined {
    return this.#last.get(containerId);
  }
}
