/** Watches: a stream of changes, one JSON document a line. */
import type { StoredObject } from "./_object.ts";
import type { Change, ObjectStore } from "./_object_store.ts";
import { apiVersionOf, qualifiedName, type Resource } from "./_resource.ts";
import type { Predicate } from "./_selector.ts";
import { gone } from "./_status_error.ts";

export interface WatchOptions {
  readonly resource: Resource;
  readonly selects: Predicate;
  /** Changes after this version; undefined: everything that exists comes first, as ADDED. */
  readonly since: number | undefined;
  readonly timeoutMs: number;
  /** undefined: none asked for. */
  readonly bookmarkMs: number | undefined;
}

/** All running watches of a server. */
export class Watches {
  readonly #running = new Set<Watch>();
  #silent = false;
  #longestMs = Infinity;

  constructor(private readonly store: ObjectStore) {
    store.onChange(() => this.#pump());
  }

  /** @returns the body of the answer */
  open(options: WatchOptions): ReadableStream<Uint8Array> {
    const watch = new Watch(this.store, {
      ...options,
      timeoutMs: Math.min(options.timeoutMs, this.#longestMs),
      isSilent: () => this.#silent,
      onEnd: () => this.#running.delete(watch),
    });
    this.#running.add(watch);
    watch.begin();
    return watch.stream;
  }

  /** While silent, watches stay open and say nothing; afterwards they catch up. */
  setSilent(silent: boolean): void {
    this.#silent = silent;
    this.#pump();
  }

  /** How long a watch may last at most, whatever it asks for. Running ones are not touched. */
  limit(ms: number): void {
    this.#longestMs = ms;
  }

  /** Ends every watch. */
  cut(): void {
    for (const watch of [...this.#running]) watch.end();
  }

  #pump(): void {
    for (const watch of [...this.#running]) watch.pump();
  }
}

class Watch {
  readonly stream: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #position: number;
  readonly #timers: ReturnType<typeof setTimeout>[] = [];

  constructor(
    private readonly store: ObjectStore,
    private readonly options: WatchOptions & { isSilent(): boolean; onEnd(): void },
  ) {
    this.#position = options.since ?? store.version;
    this.stream = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => this.end(),
    });
  }

  /** Sends what exists, if asked to, and sets the timers. */
  begin(): void {
    const { since, resource, selects, timeoutMs, bookmarkMs } = this.options;
    if (since === undefined) {
      for (const object of this.store.list(qualifiedName(resource)).filter(selects)) this.#send("ADDED", object);
    }
    this.pump();
    if (this.#controller === undefined) return;
    this.#timers.push(setTimeout(() => this.end(), timeoutMs));
    if (bookmarkMs === undefined) return;
    this.#timers.push(setInterval(() => this.#bookmark(), bookmarkMs));
  }

  /** Sends the changes that have not been sent. */
  pump(): void {
    if (this.#controller === undefined || this.options.isSilent()) return;
    const changes = this.store.changesSince(this.#position);
    if (changes === undefined) {
      this.#send("ERROR", gone(`too old resource version: ${this.#position} (${this.store.version})`).toStatus());
      return this.end();
    }
    for (const change of changes) this.#sendChange(change);
    this.#position = this.store.version;
  }

  end(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    const controller = this.#controller;
    this.#controller = undefined;
    this.options.onEnd();
    try {
      controller?.close();
    } catch {
      // The client has gone, and its stream with it.
    }
  }

  #bookmark(): void {
    if (this.options.isSilent()) return;
    const { resource } = this.options;
    const metadata = { resourceVersion: String(this.#position), creationTimestamp: null };
    this.#send("BOOKMARK", { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata });
  }

  /** An object that comes to match a selector is ADDED for this watch, and one that ceases to is DELETED. */
  #sendChange({ collection, type, object, previous }: Change): void {
    const { resource, selects } = this.options;
    if (collection !== qualifiedName(resource)) return;
    const before = previous !== undefined && selects(previous);
    const after = type !== "DELETED" && selects(object);
    if (after) this.#send(before ? "MODIFIED" : "ADDED", object);
    else if (before) this.#send("DELETED", { ...previous, metadata: withVersionOf(object, previous) });
  }

  #send(type: string, object: Record<string, unknown>): void {
    this.#controller?.enqueue(new TextEncoder().encode(`${JSON.stringify({ type, object })}\n`));
  }
}

function withVersionOf({ metadata }: StoredObject, previous: StoredObject): StoredObject["metadata"] {
  return { ...previous.metadata, resourceVersion: metadata.resourceVersion ?? "" };
}
