/** Records Events (core v1): best effort, few, the same one only once, and what happens again and again only now and then. */
import type { Clock } from "../clock/clock.ts";
import { fnv1a64 } from "../hash/fnv.ts";
import type { Logger } from "../log/logger.ts";
import { EventQueue, type PendingEvent } from "./_event_queue.ts";
import { KubeError, type KubeEvent, type KubeObject } from "./kube_client.ts";

/** Tokens at the start, and per minute. */
const BURST = 25;
const MINUTE_MS = 60_000;
/** An Event that was written is counted up no sooner than this, in milliseconds: what flaps leaves room for what else there is to say. */
const SERIES_MS = MINUTE_MS;
/** After a server that does not answer, or has too much to do, in milliseconds. */
const AWAY_MS = 5_000;
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

interface Recorded {
  count: number;
  at: number;
}

/** The name of an Event is a hash of what it says, so that an agent that restarted counts on where the last one stopped. */
export function createEventRecorder(
  writer: EventWriter,
  { clock, logger }: { clock: Clock; logger: Logger },
): EventRecorder {
  const queue = new EventQueue();
  const recorded = new Map<string, Recorded>(); // path -> what the server knows
  const bucket = new TokenBucket(clock);
  const stop = new AbortController();
  let rest = new AbortController(); // ends with the wait for what is due
  let draining = false;

  const write = async (path: string, pending: PendingEvent): Promise<void> => {
    const known = recorded.get(path) ?? await findRecorded(path);
    const count = (known?.count ?? 0) + pending.times;
    const patch = { count, lastTimestamp: rfc3339(pending.lastAt), message: messageOf(pending.event) };
    if (known === undefined || !await countUp(path, patch)) {
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
  const tryWrite = async (path: string, pending: PendingEvent): Promise<void> => {
    try {
      await bucket.take(stop.signal);
      await write(path, pending);
    } catch (error) {
      // Of a server that is away the watches tell. That Events are forbidden, nobody else would say.
      const level = error instanceof KubeError && error.status === 403 ? "warn" : "debug";
      logger[level]("event not recorded", { path, reason: String(error) });
      if (stop.signal.aborted || !isAway(error)) return;
      queue.putBack(path, pending);
      await clock.sleep(AWAY_MS, stop.signal).catch(() => {});
    }
  };
  const untilDue = async (): Promise<void> => {
    rest = new AbortController();
    const signal = AbortSignal.any([rest.signal, stop.signal]);
    await clock.sleep(Math.max(0, queue.nextDue - clock.monotonic()), signal).catch(() => {});
  };
  const drain = async (): Promise<void> => {
    draining = true;
    while (queue.size > 0 && !stop.signal.aborted) {
      const next = queue.takeDue(clock.monotonic());
      await (next === undefined ? untilDue() : tryWrite(...next));
    }
    draining = false;
  };
  return {
    record(event): void {
      const path = pathOf(event);
      const dueAt = (recorded.get(path)?.at ?? -Infinity) + SERIES_MS;
      queue.add(path, { event, at: clock.wall(), dueAt });
      rest.abort();
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

function pathOf({ involved, reason, message, series = message, type }: KubeEvent): string {
  const { kind, namespace = "default", name, uid = "" } = involved;
  const hash = fnv1a64(JSON.stringify([kind, namespace, name, uid, type, reason, series]));
  return `/api/v1/namespaces/${namespace}/events/${name.slice(0, MAX_NAME)}.${hash.toString(16).padStart(16, "0")}`;
}

function collectionOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function renderEvent(path: string, { event, firstAt, lastAt, times }: PendingEvent): KubeObject {
  const namespace = event.involved.namespace ?? "default";
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { namespace, name: path.slice(path.lastIndexOf("/") + 1) },
    involvedObject: event.involved,
    type: event.type,
    reason: event.reason.slice(0, MAX_REASON),
    message: messageOf(event),
    source: { component: "flock" },
    reportingComponent: "flock",
    firstTimestamp: rfc3339(firstAt),
    lastTimestamp: rfc3339(lastAt),
    count: times,
  };
}

function messageOf({ message, requestId }: KubeEvent): string {
  const end = requestId === undefined ? "" : `; request ${requestId}`;
  return cutToBytes(message, MAX_MESSAGE_BYTES - end.length) + end;
}

// The buffer ends between two characters: encodeInto never writes half of one.
function cutToBytes(text: string, limit: number): string {
  const buffer = new Uint8Array(limit);
  return new TextDecoder().decode(buffer.subarray(0, new TextEncoder().encodeInto(text, buffer).written));
}

function forgetOld(recorded: Map<string, Recorded>, before: number): void {
  for (const [path, { at }] of recorded) {
    if (at > before) return;
    recorded.delete(path);
  }
}

/** No answer, or one that says that another time will do. */
function isAway(error: unknown): boolean {
  if (!(error instanceof KubeError)) return false;
  return error.status === undefined || error.status === 429 || error.status >= 500;
}

function rfc3339(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/\.\d+Z$/, "Z");
}
