/** Records Events (core v1): best effort, few, and the same one only once. */
import type { Clock } from "../clock/clock.ts";
import { fnv1a64 } from "../hash/fnv.ts";
import type { Logger } from "../log/logger.ts";
import { KubeError, type KubeEvent, type KubeObject } from "./kube_client.ts";

/** Tokens at the start, and per minute. */
const BURST = 25;
const MINUTE_MS = 60_000;
const QUEUE_LIMIT = 100;
/** How long an Event is remembered here; the server keeps it for an hour. */
const REMEMBER_MS = 10 * MINUTE_MS;
const MAX_MESSAGE_BYTES = 1024;
const MAX_REASON = 128;
/** Leaves room for the hash below the 253 characters of an object's name. */
const MAX_NAME = 230;

/** What the recorder needs of the API. Both throw KubeError. */
export interface EventWriter {
  create(path: string, event: KubeObject): Promise<void>;
  patch(path: string, patch: KubeObject): Promise<void>;
  /** @returns undefined when there is none */
  get(path: string): Promise<KubeObject | undefined>;
}

export interface EventRecorder {
  /** Queues the Event, or counts it up where it is. When the queue is full the oldest one is dropped. Never throws. */
  record(event: KubeEvent): void;
  stop(): void;
}

interface Pending {
  readonly event: KubeEvent;
  readonly firstAt: number;
  lastAt: number;
  /** How often it happened since it was last written. */
  times: number;
}

interface Recorded {
  count: number;
  at: number;
}

/** The name of an Event is a hash of what it says, so that an agent that restarted counts on where the last one stopped. */
export function createEventRecorder(
  writer: EventWriter,
  { clock, logger }: { clock: Clock; logger: Logger },
): EventRecorder {
  const queue = new Map<string, Pending>(); // path -> what waits
  const recorded = new Map<string, Recorded>(); // path -> what the server knows
  const bucket = new TokenBucket(clock);
  const stop = new AbortController();
  let draining = false;

  const write = async (path: string, pending: Pending): Promise<void> => {
    const known = recorded.get(path) ?? await findRecorded(path);
    const count = (known?.count ?? 0) + pending.times;
    if (known === undefined || !await countUp(path, { count, lastTimestamp: rfc3339(pending.lastAt) })) {
      await writer.create(collectionOf(path), renderEvent(path, { ...pending, times: count }));
    }
    recorded.delete(path);
    recorded.set(path, { count, at: clock.monotonic() });
    forgetOld(recorded, clock.monotonic() - REMEMBER_MS);
  };
  const findRecorded = async (path: string): Promise<Recorded | undefined> => {
    const count = (await writer.get(path))?.["count"];
    return typeof count === "number" ? { count, at: clock.monotonic() } : undefined;
  };
  const countUp = async (path: string, patch: KubeObject): Promise<boolean> => {
    try {
      await writer.patch(path, patch);
      return true;
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return false;
      throw error;
    }
  };
  const drain = async (): Promise<void> => {
    draining = true;
    for (let next = takeFirst(queue); next !== undefined && !stop.signal.aborted; next = takeFirst(queue)) {
      try {
        await bucket.take(stop.signal);
        await write(...next);
      } catch (error) {
        logger.debug("event not recorded", { path: next[0], reason: String(error) });
      }
    }
    draining = false;
  };
  return {
    record(event): void {
      const [path, now] = [pathOf(event), clock.wall()];
      const waiting = queue.get(path);
      if (waiting !== undefined) {
        waiting.times++;
        waiting.lastAt = now;
        return;
      }
      if (queue.size >= QUEUE_LIMIT) takeFirst(queue);
      queue.set(path, { event, firstAt: now, lastAt: now, times: 1 });
      if (!draining) drain();
    },
    stop: () => stop.abort(new Error("stopped")),
  };
}

class TokenBucket {
  #tokens = BURST;
  #at: number;

  constructor(readonly clock: Clock) {
    this.#at = clock.monotonic();
  }

  async take(signal: AbortSignal): Promise<void> {
    for (this.#refill(); this.#tokens < 1; this.#refill()) {
      await this.clock.sleep((1 - this.#tokens) * MINUTE_MS / BURST, signal);
    }
    this.#tokens--;
  }

  #refill(): void {
    const now = this.clock.monotonic();
    this.#tokens = Math.min(BURST, this.#tokens + (now - this.#at) * BURST / MINUTE_MS);
    this.#at = now;
  }
}

function pathOf({ involved, reason, message, type }: KubeEvent): string {
  const { kind, namespace = "default", name, uid = "" } = involved;
  const hash = fnv1a64(JSON.stringify([kind, namespace, name, uid, type, reason, message]));
  return `/api/v1/namespaces/${namespace}/events/${name.slice(0, MAX_NAME)}.${hash.toString(16).padStart(16, "0")}`;
}

function collectionOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function renderEvent(path: string, { event, firstAt, lastAt, times }: Pending): KubeObject {
  const namespace = event.involved.namespace ?? "default";
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { namespace, name: path.slice(path.lastIndexOf("/") + 1) },
    involvedObject: event.involved,
    type: event.type,
    reason: event.reason.slice(0, MAX_REASON),
    message: cutToBytes(event.message),
    source: { component: "flock" },
    reportingComponent: "flock",
    firstTimestamp: rfc3339(firstAt),
    lastTimestamp: rfc3339(lastAt),
    count: times,
  };
}

// The buffer ends between two characters: encodeInto never writes half of one.
function cutToBytes(text: string): string {
  const buffer = new Uint8Array(MAX_MESSAGE_BYTES);
  return new TextDecoder().decode(buffer.subarray(0, new TextEncoder().encodeInto(text, buffer).written));
}

function forgetOld(recorded: Map<string, Recorded>, before: number): void {
  for (const [path, { at }] of recorded) {
    if (at > before) return;
    recorded.delete(path);
  }
}

function takeFirst<V>(queue: Map<string, V>): [string, V] | undefined {
  const first = queue.entries().next();
  if (first.done) return undefined;
  queue.delete(first.value[0]);
  return first.value;
}

function rfc3339(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/\.\d+Z$/, "Z");
}
