import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import { isObject } from "./collection.ts";
import type { Connection } from "./connection.ts";
import { followCollection } from "./follow_collection.ts";
import { type KubeClient, KubeError, type KubeObject, type Watched, type WatchTarget } from "./kube_client.ts";
import { createEventRecorder } from "./record_events.ts";
import { type ApiRequest, createTransport, noAnswer, readText, type Transport } from "./transport.ts";
import { startWatchdog } from "./_watchdog.ts";

/** For everything that is no list and no watch, unless the caller says otherwise. */
const WRITE_TIMEOUT_MS = 10_000;
const MAX_OBJECT_BYTES = 16 * 1024 * 1024;
const MERGE_PATCH = "application/merge-patch+json";
const STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json";

export interface KubeClientOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1): jitter. Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Speaks to the API server. Not in `kube_client.ts`, so that whoever names the contract does not load the Kubernetes
 * client.
 */
export function createKubeClient(options: KubeClientOptions): KubeClient {
  const { connection, clock, logger, random = Math.random } = options;
  const transport = createTransport(connection, clock);
  const stop = new AbortController();
  const caller = new Caller(transport, { clock, outer: stop.signal });
  const events = createEventRecorder({
    create: (path, event) => caller.write("POST", path, { type: "application/json", text: JSON.stringify(event) }),
    patch: (path, patch) => caller.write("PATCH", path, { type: MERGE_PATCH, text: JSON.stringify(patch) }),
    get: (path) => caller.get(path, WRITE_TIMEOUT_MS),
  }, { clock, logger });
  const watches = new Set<Watched<unknown>>();
  return {
    watch<T>(target: WatchTarget<T>): Watched<T> {
      const ended = (): boolean => watches.delete(watched); // else what a stopped one knew would be kept
      const watched = followCollection(target, { transport, clock, logger, random, ended });
      watches.add(watched);
      return watched;
    },
    get: (path, { timeoutMs }) => caller.get(path, timeoutMs),
    patchStatus(path, patch, kind): Promise<void> {
      const type = kind === "merge" ? MERGE_PATCH : STRATEGIC_MERGE_PATCH;
      return caller.write("PATCH", `${path}/status`, { type, text: JSON.stringify(patch) });
    },
    recordEvent: (event) => events.record(event),
    stop(): void {
      for (const watched of watches) watched.stop();
      events.stop();
      stop.abort(new Error("stopped"));
      transport.close();
    },
  };
}

/** Requests with a whole answer and a deadline. */
class Caller {
  constructor(readonly transport: Transport, readonly options: { clock: Clock; outer: AbortSignal }) {}

  async get(path: string, timeoutMs: number): Promise<KubeObject | undefined> {
    try {
      const object: unknown = JSON.parse(await this.#call({ method: "GET", path }, timeoutMs));
      if (isObject(object)) return object;
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return undefined;
      throw error instanceof KubeError ? error : noAnswer({ method: "GET", path }, error);
    }
    throw noAnswer({ method: "GET", path }, "the answer is no object");
  }

  async write(method: "POST" | "PATCH", path: string, body: NonNullable<ApiRequest["body"]>): Promise<void> {
    await this.#call({ method, path, body }, WRITE_TIMEOUT_MS);
  }

  // The body is read in any case: one left unread holds its connection.
  async #call(wanted: Omit<ApiRequest, "signal">, timeoutMs: number): Promise<string> {
    const { clock, outer } = this.options;
    const reason = (ms: number): string => `more than ${ms} ms`;
    const deadline = startWatchdog(clock, { silenceMs: timeoutMs, reason, outer });
    try {
      return await readText(await this.transport.send({ ...wanted, signal: deadline.signal }), MAX_OBJECT_BYTES);
    } catch (error) {
      throw error instanceof KubeError ? error : noAnswer(wanted, error);
    } finally {
      deadline.end();
    }
  }
}
