/** List, then watch, for ever (what client-go calls a reflector). */
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import { type Backoff, createBackoff } from "./backoff.ts";
import { Collection, isObject, textField } from "./collection.ts";
import { KubeError, type KubeObject, type Watched, type WatchTarget } from "./kube_client.ts";
import { listCollection, withQuery } from "./list_collection.ts";
import { noAnswer, RetryLater, type Transport } from "./transport.ts";
import { Doubt, isLower } from "./_doubt.ts";
import { readLines } from "./_read_lines.ts";
import { startWatchdog } from "./_watchdog.ts";

/**
 * The head of an answer comes at once. Whoever takes a watch and then is silent may have lost it: that must not hold up
 * the next attempt. This and the longest back-off stay below the 30 s within which a server that is back is found
 * (T-API-02).
 */
const OPENING_MS = 8_000;
/** Bookmarks come about once a minute: after 90 s without a byte the connection is half-open. */
const SILENCE_MS = 90_000;
/**
 * A watch that ends sooner and brought nothing counts as failed; one that brought something is not followed by the next
 * before.
 */
const SHORT_WATCH_MS = 1000;
/** History that is gone so soon after a list is no reason to list again at once. */
const RECENT_LIST_MS = 10_000;
/** A server may ask for this much patience. */
const MAX_RETRY_AFTER_MS = 60_000;

export interface FollowOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** It was stopped and does nothing more. */
  ended?(): void;
}

/** The server no longer has the history from our resource version on: list again. */
class HistoryGone extends KubeError {}

/** @returns what `KubeClient.watch` promises */
export function followCollection<T>(target: WatchTarget<T>, options: FollowOptions): Watched<T> {
  const follower = new Follower(target, options);
  void follower.run().finally(options.ended);
  return follower;
}

class Follower<T> implements Watched<T> {
  lastContact: number | undefined;
  interruption: string | undefined;
  readonly #collection: Collection<T>;
  readonly #backoff: Backoff;
  readonly #doubt = new Doubt();
  readonly #stop = new AbortController();
  /** undefined: a list is due. */
  #resourceVersion: string | undefined;
  /** The last one that there was. */
  #newest: string | undefined;
  #listedAt = -Infinity;
  /** The last watch that opened brought nothing. */
  #mute = false;

  constructor(readonly target: WatchTarget<T>, readonly options: FollowOptions) {
    this.#collection = new Collection(target.decode);
    this.#backoff = createBackoff(options.random);
  }

  get synced(): boolean {
    return this.#collection.synced;
  }

  get items(): ReadonlyMap<string, T> {
    return this.#collection.items;
  }

  onChange(bell: (changed: ReadonlySet<string>) => void): () => void {
    return this.#collection.onChange(bell);
  }

  stop(): void {
    this.#stop.abort(new Error("stopped"));
  }

  async run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#listAndWatch();
      } catch (error) {
        await this.#rest(error).catch(() => undefined);
      }
    }
  }

  async #listAndWatch(): Promise<void> {
    if (this.#resourceVersion === undefined) await this.#list();
    await this.#watch(this.#resourceVersion);
  }

  async #list(): Promise<void> {
    const { transport, clock } = this.options;
    const onContact = (): void => void this.#hear();
    const listed = await listCollection(this.target, { transport, clock, signal: this.#stop.signal, onContact });
    this.#doubt.weigh(listed, { path: this.target.path, version: this.#newest, size: this.items.size });
    this.#follow(listed.resourceVersion);
    this.#listedAt = clock.monotonic();
    this.#collection.replace(listed.items);
  }

  #follow(version: string): void {
    this.#resourceVersion = version;
    this.#newest = version;
  }

  async #watch(resourceVersion: string | undefined): Promise<void> {
    const { transport, clock, random } = this.options;
    const { path, fieldSelector } = this.target;
    const timeoutSeconds = String(300 + Math.floor(random() * 300));
    const query = { watch: "true", allowWatchBookmarks: "true", resourceVersion, timeoutSeconds, fieldSelector };
    const reason = (ms: number): string => `silent for ${ms / 1000} s`;
    const watchdog = startWatchdog(clock, { silenceMs: OPENING_MS, reason, outer: this.#stop.signal });
    const wanted = { method: "GET" as const, path: withQuery(path, query), signal: watchdog.signal };
    let [events, openedAt] = [0, Infinity];
    try {
      const body = await transport.send(wanted);
      openedAt = this.#hear();
      watchdog.feed(SILENCE_MS);
      for await (const lines of readLines(body)) {
        watchdog.feed();
        this.#hear();
        events += this.#take(lines);
      }
    } catch (error) {
      if (watchdog.signal.aborted && openedAt < Infinity && events === 0) this.#suspect();
      throw error instanceof KubeError ? error : noAnswer(wanted, error);
    } finally {
      watchdog.end();
      if (clock.monotonic() - openedAt >= SHORT_WATCH_MS) this.#backoff.reset();
    }
    const lasted = clock.monotonic() - openedAt;
    if (lasted >= SHORT_WATCH_MS) return;
    if (events === 0) throw noAnswer(wanted, `the watch ended after ${Math.round(lasted)} ms`);
    await clock.sleep(SHORT_WATCH_MS - lasted, this.#stop.signal);
  }

  /**
   * Twice a watch opened and brought not even a bookmark: no half-open connection, then, but a server that holds
   * everything back until a version that is far ahead, from before its etcd was restored. A list finds out.
   */
  #suspect(): void {
    if (this.#mute) this.#resourceVersion = undefined;
    this.#mute = !this.#mute;
  }

  /**
   * One bell for all lines of a chunk, rung also when one of them ends the watch.
   *
   * @returns how many events there were
   */
  #take(lines: readonly string[]): number {
    const changed = new Set<string>();
    try {
      for (const line of lines) {
        const key = this.#apply(JSON.parse(line));
        if (key !== undefined) changed.add(key);
      }
    } finally {
      if (changed.size > 0) this.#collection.ring(changed);
    }
    if (lines.length > 0) this.#mute = false;
    return lines.length;
  }

  /** @returns the key of an object of which something else is known now */
  #apply(event: unknown): string | undefined {
    const type = textField(event, "type");
    const object = isObject(event) ? event["object"] : undefined;
    if (!isObject(object)) throw new Error("an event without an object");
    if (type === "ERROR") throw errorOf(object, this.target.path);
    this.#advance(textField(object["metadata"], "resourceVersion"));
    if (type === "BOOKMARK") return undefined;
    return type === "DELETED" ? this.#collection.remove(object) : this.#collection.put(object);
  }

  // Within one watch versions only grow. One that is lower comes from another history, say an etcd restored from a
  // backup: what happened there before it is unknown, so everything is listed again.
  #advance(version: string | undefined): void {
    if (version === undefined) return;
    if (isLower(version, this.#resourceVersion)) {
      throw new HistoryGone(
        `Cannot follow ${this.target.path}: version ${version} after ${this.#resourceVersion}`,
        410,
      );
    }
    this.#follow(version);
  }

  #hear(): number {
    this.interruption = undefined;
    return this.lastContact = this.options.clock.monotonic();
  }

  /** Decides what a failure means, and waits. @throws when stopped meanwhile */
  async #rest(error: unknown): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { clock, logger } = this.options;
    const status = error instanceof KubeError ? error.status : undefined;
    const wasWatching = this.#resourceVersion !== undefined;
    if (status !== undefined) this.#hear();
    if (status === 410 || status === 400 || status === 404) this.#resourceVersion = undefined;
    const message = error instanceof Error ? error.message : String(error);
    if (status === 410 && wasWatching && clock.monotonic() - this.#listedAt > RECENT_LIST_MS) {
      return logger.info("listing again", { path: this.target.path, reason: message });
    }
    this.interruption = message;
    const waitMs = waitFor(error, this.#backoff.next());
    logger.warn("watch interrupted", { path: this.target.path, reason: message, waitMs: Math.round(waitMs) });
    await clock.sleep(waitMs, this.#stop.signal);
  }
}

// The back-off comes on top of what the server asks for: all nodes were refused at once, and must not come back at
// once.
function waitFor(error: unknown, backoffMs: number): number {
  return error instanceof RetryLater ? Math.min(error.afterMs, MAX_RETRY_AFTER_MS) + backoffMs : backoffMs;
}

// Any ERROR event ends trust in our version: 410 (expired) as well as 504 "too large resource version" (etcd restored).
function errorOf(status: KubeObject, path: string): KubeError {
  return new HistoryGone(
    `Cannot follow ${path}: ${status["code"]}, ${textField(status, "message") ?? "no reason"}`,
    410,
  );
}
